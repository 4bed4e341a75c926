;; A gate that answers with what its codex says: the host reads the codex's bytes as the answer itself.
(module
  (import "aim:gate/codex@0.1.0" "document" (func $document (param i32)))
  (memory (export "memory") 64)
  (global $top (mut i32) (i32.const 4096))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:gate/judge@0.1.0#evaluate") (param i32) (result i32) (local $length i32)
    (call $document (i32.const 3072))
    (local.set $length (i32.load (i32.const 3076)))
    ;; The codex's bytes go to 16, where small numbers in them are addresses of what follows them.
    (memory.copy (i32.const 16) (i32.load (i32.const 3072))
      (select (local.get $length) (i32.const 2048) (i32.lt_u (local.get $length) (i32.const 2048))))
    (i32.const 16))
)
