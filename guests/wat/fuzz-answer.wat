;; Answers with what its envelope's body says: the host reads the body's bytes as the answer itself.
(module
  (memory (export "memory") 64)
  (global $top (mut i32) (i32.const 4096))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    ;; The body's bytes go to 16, where small numbers in them are addresses of what follows them.
    (memory.copy (i32.const 16) (local.get 8)
      (select (local.get 9) (i32.const 2048) (i32.lt_u (local.get 9) (i32.const 2048))))
    (i32.const 16))
)
