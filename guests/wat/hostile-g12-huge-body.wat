;; G12: answers with one emission whose body claims 2 GiB less a byte in a memory of one megabyte.
(module
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  ;; The result at 16: `ok`, a list of one emission at 64.
  (data (i32.const 16) "\00\00\00\00" "\40\00\00\00" "\01\00\00\00")
  ;; The emission at 64: target `next`, three empty texts and lists, and the body (16, 0x7fffffff).
  (data (i32.const 100) "\10\00\00\00" "\ff\ff\ff\7f")
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 16))
)
