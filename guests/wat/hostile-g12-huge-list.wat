;; G12: answers with a list that claims 64 Mi emissions in a memory of one megabyte.
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
  ;; The result at 16: `ok`, a list of 0x04000000 emissions at 64.
  (data (i32.const 16) "\00\00\00\00" "\40\00\00\00" "\00\00\00\04")
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 16))
)
