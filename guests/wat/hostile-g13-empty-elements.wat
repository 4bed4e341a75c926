;; G13: a million elements of no bytes at all: two empty texts each (0), an emission of nothing each (1).
(module
  (import "aim:log/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 800)
  (global $top (mut i32) (i32.const 4096))
  ;; Which variant; tests write another number here.
  (global $case i32 (i32.const 0))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (if (i32.eqz (global.get $case))
      (then (call $write (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1048576) (i32.const 1048576))))
    ;; At 16: `ok`, a list of a million emissions over zeroes.
    (i32.store (i32.const 20) (i32.const 1048576))
    (i32.store (i32.const 24) (i32.const 1048576))
    (i32.const 16))
)
