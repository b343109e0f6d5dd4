// RUN: plmc-opt --plm-lower-to-plk --plk-fuse %s | FileCheck %s
// RUN: plmc-opt --plm-lower-to-plk --plk-fuse --plk-plan-arena %s | FileCheck %s --check-prefix=PLAN

plm.parameter @w = dense<1.0> : tensor<4x4xf32>
plm.parameter @v = dense<2.0> : tensor<4x4xf32>
plm.parameter @b = dense<1.0> : tensor<4xf32>

// Q, K and V are one product; bias, activation, residual and norm are its
// epilogue; the two embeddings are one.
// CHECK: plk.weight @w.panels.qkv [@w, @v, @w] [4, 12] panel 16 transposed [false, false, false]
// PLAN: plk.slots = {{\[}}["16*plk__tokens"
// CHECK-LABEL: func.func @forward
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">>, %mask: tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">> {
  %w = plm.get_parameter @w : tensor<4x4xf32>
  %v = plm.get_parameter @v : tensor<4x4xf32>
  %b = plm.get_parameter @b : tensor<4xf32>
  // CHECK: %[[E:.*]] = plk.embed %{{.*}}, %{{.*}} tables [@w.plain, @v.plain] norm @b.plain
  // PLAN: plk.embed {{.*}}plk.slot = 0
  %e0 = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %e1 = plm.embedding %mask, %v : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %e2 = plm.binary add %e0, %e1 : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %e = plm.layer_norm %e2, %b {epsilon = 1.0e-5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: %[[QKV:.*]] = plk.linear %[[E]], @w.panels.qkv
  // CHECK: plk.attention %[[QKV]], %[[QKV]], %[[QKV]] {{.*}}key_offset = 4 : i64{{.*}}value_offset = 8 : i64
  // PLAN: plk.attention {{.*}}plk.scratch_slot = 3
  %q = plm.linear %e, %w : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %k = plm.linear %e, %v : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %u = plm.linear %e, %w {keep_apart} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %a = plm.attention %q, %k, %u mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plk.linear %{{.*}}, @w.panels bias @b.plain activation gelu residual %[[E]] norm @b.plain
  %o = plm.linear %a, %w bias %b : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %g = plm.activation gelu %o : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %r = plm.binary add %e, %g : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  %n = plm.layer_norm %r, %b {epsilon = 1.0e-5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // PLAN: plk.unpack {{.*}}plk.output = 0
  return %n : tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
}
