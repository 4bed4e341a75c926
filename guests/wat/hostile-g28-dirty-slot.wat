;; G28: traps when a page that it was just given holds anything, and leaves all of its pages full when it ends.
(module
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 4096))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $at i32) (local $end i32)
    (if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))
    (local.set $end (i32.mul (memory.size) (i32.const 65536)))
    (local.set $at (i32.const 65536))
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (memory.fill (i32.const 65536) (i32.const 0xa5) (i32.const 196608))
    (i32.const 16))
)
