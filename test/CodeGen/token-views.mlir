// RUN: plmc-opt --plm-lower-to-plk --plk-fuse --cse --plk-plan-arena --split-input-file %s | FileCheck %s

// Multiple choice: the batch is a product, the mask another shape of an input.
// Attention and pooling read it in different forms.
// CHECK: plk.batch = "b*c", plk.mask_input = 1 : i32, plk.pack_mode = 2 : i32, plk.sequence = "s"
// CHECK-NOT: plk.keep_mask
// CHECK: plk.attention
// CHECK-NOT: all_keys
// CHECK: plk.pool
!x = tensor<?x?x4xf32, #plm.dims<"b*c", "s", "4">>
!m = tensor<?x?x?xi64, #plm.dims<"b", "c", "s">>
!mask = tensor<?x?xi64, #plm.dims<"b*c", "s">>
!float = tensor<?x?xf32, #plm.dims<"b*c", "s">>
!p = tensor<?x4xf32, #plm.dims<"b*c", "4">>
func.func @forward(%x: !x, %m: !m) -> !p {
  %mask = plm.reshape %m : (!m) -> !mask
  %float = plm.cast %mask : (!mask) -> !float
  %a = plm.attention %x, %x, %x mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (!x, !x, !x, !mask) -> !x
  %p = plm.pool mean %a mask %float : (!x, !float) -> !p
  return %p : !p
}

// -----

// A mask that is computed from inputs: its operations come first, and what they
// compute is an output only by copy.
// CHECK: plk.mask_input = -1 : i32, plk.pack_mode = 2 : i32
// CHECK: plm.binary sub
// CHECK-NOT: plk.output
// CHECK: %[[KEEP:.*]] = plm.cast {{.*}}xi1
// CHECK-NEXT: plk.keep_mask %[[KEEP]]
// CHECK: plm.unary neg
// CHECK: plk.attention
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
!m = tensor<?x?xi64, #plm.dims<"b", "s">>
func.func @forward(%x: !x, %padding: !m) -> (!x, !m) {
  %n = plm.unary neg %x : (!x) -> !x
  %one = plm.constant dense<1> : tensor<i64> : tensor<i64>
  %mask = plm.binary sub %one, %padding : (tensor<i64>, !m) -> !m
  %a = plm.attention %n, %n, %n mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (!x, !x, !x, !m) -> !x
  return %a, %mask : !x, !m
}

// -----

// A mask that needs the tokens themselves cannot come first: every row is
// computed.
// CHECK: plk.mask_input = -1 : i32, plk.pack_mode = 1 : i32
// CHECK-NOT: plk.keep_mask
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
!m = tensor<?x?xf32, #plm.dims<"b", "s">>
func.func @forward(%x: !x) -> !x {
  %b = plm.attention %x, %x, %x {num_heads = 2 : i64, scale = 0.5 : f64} : (!x, !x, !x) -> !x
  %mask = plm.reduce max %b [2] : (!x) -> !m
  %a = plm.attention %b, %b, %b mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (!x, !x, !x, !m) -> !x
  return %a : !x
}
