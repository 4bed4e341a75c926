;; G10: two functions call one another through a table without end.
(module
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  (type $step (func (param i32) (result i32)))
  (table 2 funcref)
  (elem (i32.const 0) $even $odd)
  (func $even (type $step)
    (i32.add (call_indirect (type $step) (i32.add (local.get 0) (i32.const 1)) (i32.const 1)) (i32.const 1)))
  (func $odd (type $step)
    (i32.add (call_indirect (type $step) (i32.add (local.get 0) (i32.const 1)) (i32.const 0)) (i32.const 1)))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (drop (call_indirect (type $step) (i32.const 0) (i32.const 0)))
    ;; The zeroes at 16 are `ok` with an empty list.
    (i32.const 16))
)
