// RUN: plmc-opt %s | plmc-opt | FileCheck %s

// CHECK: plm.parameter @w = dense<1.000000e+00> : tensor<4x4xf32>
plm.parameter @w = dense<1.0> : tensor<4x4xf32>
plm.parameter @codes = dense<1> : tensor<4x2xui8>
plm.parameter @books = dense<1.0> : tensor<2x3x2xf32>
plm.parameter @g = dense<1.0> : tensor<4xf32>

// CHECK-LABEL: func.func @forward
// CHECK-SAME: tensor<?x?xi64, #plm.dims<"b", "s">>
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">>, %mask: tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x4xf32, #plm.dims<"b", "4">> {
  // CHECK: plm.constraint "4 - s", "too long"
  plm.constraint "4 - s", "too long"
  // CHECK: plm.constraint equal "b - 1", "one sentence"
  plm.constraint equal "b - 1", "one sentence"
  // CHECK: plm.get_parameter @w : tensor<4x4xf32>
  %w = plm.get_parameter @w : tensor<4x4xf32>
  %g = plm.get_parameter @g : tensor<4xf32>
  // CHECK: plm.embedding
  %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plm.codebook_lookup %{{.*}}, %{{.*}} : (tensor<4x2xui8>, tensor<2x3x2xf32>) -> tensor<4x4xf32>
  %c = plm.get_parameter @codes : tensor<4x2xui8>
  %k = plm.get_parameter @books : tensor<2x3x2xf32>
  %t = plm.codebook_lookup %c, %k : (tensor<4x2xui8>, tensor<2x3x2xf32>) -> tensor<4x4xf32>
  // CHECK: plm.position_embedding %{{.*}} {offset = 1 : i64}
  %p = plm.position_embedding %w {offset = 1 : i64} : (tensor<4x4xf32>) -> tensor<1x?x4xf32, #plm.dims<"1", "s", "4">>
  // CHECK: plm.binary add
  %x = plm.binary add %e, %p : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<1x?x4xf32, #plm.dims<"1", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plm.linear %{{.*}}, %{{.*}} bias %{{.*}} transposed
  %q = plm.linear %x, %w bias %g transposed : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plm.attention %{{.*}} mask %{{.*}} {num_heads = 2 : i64, scale = 5.000000e-01 : f64}
  %a = plm.attention %q, %x, %x mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plm.layer_norm
  %n = plm.layer_norm %a, %g beta %g {epsilon = 1.0e-12 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plm.activation {{ *}}gelu
  %f = plm.activation gelu %n : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plm.pool {{ *}}mean %{{.*}} mask
  %m = plm.pool mean %f mask %mask : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  // CHECK: plm.l2_normalize
  %l = plm.l2_normalize %m : (tensor<?x4xf32, #plm.dims<"b", "4">>) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  return %l : tensor<?x4xf32, #plm.dims<"b", "4">>
}
