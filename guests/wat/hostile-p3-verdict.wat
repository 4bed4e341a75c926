;; P3: answers with a decision whose verdict is the 200th of four.
(module
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  ;; The result at 16: `ok`, then the decision, which begins with its verdict; all else is zero.
  (data (i32.const 16) "\00\00\00\00" "\c8")
  (func (export "aim:gate/judge@0.1.0#evaluate") (param i32) (result i32)
    (i32.const 16))
)
