;; G26: calls the host where it must not: while its parameters are written (0), after it has answered (1), and when its
;; instance starts (2), which is allowed for a call that only tells.
(module
  (import "aim:host/budget@0.1.0" "wall-ms" (func $wall_ms (result i64)))
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  ;; Which variant; tests write another number here.
  (global $case i32 (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (if (i32.eqz (global.get $case)) (then (drop (call $wall_ms))))
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func $start (if (i32.eq (global.get $case) (i32.const 2)) (then (drop (call $wall_ms)))))
  (start $start)
  (func (export "cabi_post_aim:step/handler@0.1.0#handle") (param i32)
    (if (i32.eq (global.get $case) (i32.const 1)) (then (drop (call $wall_ms)))))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    ;; The zeroes at 16 are `ok` with an empty list.
    (i32.const 16))
)
