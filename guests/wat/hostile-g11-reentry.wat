;; G11: while the host puts an answer into its memory, it asks the host for another answer, and so on.
(module
  (import "aim:host/context@0.1.0" "run-id" (func $run_id (param i32)))
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  (global $is_inside (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (if (global.get $is_inside) (then (call $run_id (i32.const 64))))
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (global.set $is_inside (i32.const 1))
    (call $run_id (i32.const 64))
    ;; The zeroes at 16 are `ok` with an empty list.
    (i32.const 16))
)
