;; G16: numbers where an enum, a result or a variant is meant: a log level (0), an answer (1), an error (2), a target (3).
(module
  (import "aim:log/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 17)
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
      (then (call $write (i32.const 77) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
    (if (i32.eq (global.get $case) (i32.const 1)) (then (i32.store8 (i32.const 16) (i32.const 9))))
    (if (i32.eq (global.get $case) (i32.const 2))
      (then (i32.store8 (i32.const 16) (i32.const 1)) (i32.store8 (i32.const 20) (i32.const 200))))
    (if (i32.eq (global.get $case) (i32.const 3))
      (then
        ;; `ok`, one emission at 64 whose target is none.
        (i32.store (i32.const 20) (i32.const 64))
        (i32.store (i32.const 24) (i32.const 1))
        (i32.store8 (i32.const 64) (i32.const 9))))
    (i32.const 16))
)
