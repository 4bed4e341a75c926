;; G19: a handle that nobody gave it: appends to it (even numbers) or drops it (odd ones).
(module
  (import "aim:artifact/store@0.1.0" "[static]writer.create" (func $create (param i32 i32 i32)))
  (import "aim:artifact/store@0.1.0" "[method]writer.append" (func $append (param i32 i32 i32 i32)))
  (import "aim:artifact/store@0.1.0" "[static]writer.finish" (func $finish (param i32 i32)))
  (import "aim:artifact/store@0.1.0" "[resource-drop]writer" (func $drop_writer (param i32)))
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
    (if (i32.and (global.get $case) (i32.const 1))
      (then (call $drop_writer (global.get $case)))
      (else (call $append (global.get $case) (i32.const 1024) (i32.const 4) (i32.const 2048))))
    ;; The zeroes at 16 are `ok` with an empty list.
    (i32.const 16))
)
