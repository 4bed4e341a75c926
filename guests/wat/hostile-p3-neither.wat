;; P3: answers with neither a decision nor a fault.
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
  ;; The result at 16: the 9th of two cases; all else is zero.
  (data (i32.const 16) "\09\00\00\00")
  (func (export "aim:gate/judge@0.1.0#evaluate") (param i32) (result i32)
    (i32.const 16))
)
