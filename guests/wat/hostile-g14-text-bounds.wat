;; G14, G15: gives the host a text at an address and of a length that tests write here.
;; The bytes at 1024 are no UTF-8, no paired UTF-16 and no Latin-1 that every reader knows.
(module
  (import "aim:log/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  (global $address i32 (i32.const -16))
  (global $length i32 (i32.const 0x7fffffff))
  (data (i32.const 1024) "\ff\fe\c0\80\ed\a0\80\00\d8\00\d8\f5\80\80\80\80")
  ;; Hands out memory from 4096 on, 16-byte aligned, and never takes any back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $write (i32.const 2) (global.get $address) (global.get $length) (i32.const 0) (i32.const 0))
    ;; The zeroes at 16 are `ok` with an empty list.
    (i32.const 16))
)
