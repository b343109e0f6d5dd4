// RUN: plmc-opt --plm-lower-to-plk %s | FileCheck %s
// RUN: plmc-opt --plm-lower-to-plk='compute-padding=true panel-width=8' %s | FileCheck %s --check-prefix=ALL

plm.parameter @w = dense<1.0> : tensor<4x4xf32>
plm.parameter @b = dense<1.0> : tensor<4xf32>

// Token-level output: the kept rows are enough, and the output is 0 elsewhere.
// CHECK: module attributes {plk.batch = "b", plk.mask_input = 1 : i32, plk.pack_mode = 2 : i32, plk.sequence = "s"}
// ALL: module attributes {{.*}}plk.pack_mode = 1 : i32
// CHECK: plk.weight @w.panels [@w] [4, 4] panel 16 transposed [false]
// CHECK: plk.weight @w.panels_0 [@w] [4, 4] panel 16 transposed [true]
// ALL: panel 8
// CHECK: -> (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">> {plm.padding_zero})
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">>, %mask: tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">> {
  %w = plm.get_parameter @w : tensor<4x4xf32>
  %b = plm.get_parameter @b : tensor<4xf32>
  // CHECK: plk.embed %{{.*}} tables [@w.plain]
  // CHECK-SAME: -> tensor<?x4xf32, #plm.dims<"plk__tokens", "4">>
  %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plk.linear %{{.*}}, @w.panels bias @b.plain
  %q = plm.linear %e, %w bias %b : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plk.linear %{{.*}}, @w.panels_0 :
  %k = plm.linear %e, %w transposed : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<4x4xf32>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plk.attention
  %a = plm.attention %q, %k, %e mask %mask {num_heads = 2 : i64, scale = 0.5 : f64} : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // An elementwise op that is row-wise stays, on packed rows.
  // CHECK: plm.unary neg %{{.*}} : (tensor<?x4xf32, #plm.dims<"plk__tokens", "4">>)
  %n = plm.unary neg %a : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  // CHECK: plk.unpack
  return %n : tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
}
