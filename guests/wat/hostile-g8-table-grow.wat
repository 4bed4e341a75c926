;; G8: asks for ten million table elements; answers when that is refused and traps when it is not.
(module
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  (table $wide 1 funcref)
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (if (i32.ne (table.grow $wide (ref.null func) (i32.const 10000000)) (i32.const -1))
      (then unreachable))
    ;; The zeroes at 16 are `ok` with an empty list.
    (i32.const 16))
)
