// RUN: plmc-opt --plm-lower-to-plk -split-input-file %s | FileCheck %s

// A pooler reads position 0 even if it is padding.
// CHECK: plk.pack_mode = 3 : i32
func.func @forward(%x: tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, %mask: tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x4xf32, #plm.dims<"b", "4">> {
  // CHECK: plk.pack
  %a = plm.attention %x, %x, %x mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %p = plm.pool first %a : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  return %p : tensor<?x4xf32, #plm.dims<"b", "4">>
}

// -----

// A tensor operation over positions sees padding: every row is computed.
// CHECK: plk.pack_mode = 1 : i32
func.func @forward(%x: tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, %mask: tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x4xf32, #plm.dims<"b", "4">> {
  %a = plm.attention %x, %x, %x mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plk.unpack
  // CHECK: plm.reduce mean
  %p = plm.reduce mean %a [1] : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  return %p : tensor<?x4xf32, #plm.dims<"b", "4">>
}

// -----

// Cross attention is what the kernels do not cover: it becomes tensor
// operations.
// CHECK: plk.pack_mode = 0 : i32
// CHECK-NOT: plk.attention
// CHECK: plm.softmax
func.func @forward(%x: tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, %y: tensor<?x?x4xf32, #plm.dims<"b", "t", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">> {
  %a = plm.attention %x, %y, %y {num_heads = 2 : i64, scale = 0.5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "t", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "t", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  return %a : tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
}
