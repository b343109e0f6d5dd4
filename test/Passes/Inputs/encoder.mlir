// Two layers, two heads, width 4.
!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
!f = tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
plm.parameter @words = dense<[[-0.73, 0.69, 0.53, -0.49], [-0.01, -0.1, 0.3, 0.58], [-0.81, -0.94, 0.67, -0.13], [0.52, -1.0, -0.11, 0.44], [-0.54, 0.89, 0.8, -0.94], [-0.95, 0.08, 0.88, -0.24], [-0.57, -0.16, -0.94, -0.56], [-0.12, -0.01, -0.53, -0.54], [-0.56, -0.08, -0.42, -0.96]]> : tensor<9x4xf32>
plm.parameter @wq0 = dense<[[0.68, 0.11, 0.28, -0.63], [0.99, 0.72, -0.76, -0.33], [0.44, 0.42, 0.87, -0.16], [0.66, 0.34, -0.39, 0.18]]> : tensor<4x4xf32>
plm.parameter @wq0_b = dense<[0.76, 0.69, 0.01, 0.18]> : tensor<4xf32>
plm.parameter @wk0 = dense<[[-0.93, -0.51, 0.59, -0.17], [-0.65, 0.1, 0.41, 0.35], [-0.25, -0.12, 0.02, 0.56], [0.04, -0.21, -0.02, -0.94]]> : tensor<4x4xf32>
plm.parameter @wk0_b = dense<[-0.91, 0.41, 0.97, 0.19]> : tensor<4xf32>
plm.parameter @wv0 = dense<[[-0.21, -0.66, 0.0, 0.96], [0.54, 0.08, 0.72, -0.54], [0.03, 0.9, 0.16, -0.08], [-0.46, 0.1, 0.91, -0.99]]> : tensor<4x4xf32>
plm.parameter @wv0_b = dense<[0.57, 0.64, 0.77, 0.48]> : tensor<4xf32>
plm.parameter @wo0 = dense<[[0.62, 0.04, 0.12, -0.15], [-0.89, 0.74, 0.14, -0.6], [0.01, -0.03, -0.29, -0.31], [0.08, 0.25, 0.22, -0.08]]> : tensor<4x4xf32>
plm.parameter @wo0_b = dense<[-0.94, -0.54, -0.65, 0.17]> : tensor<4xf32>
plm.parameter @g0 = dense<1.0> : tensor<4xf32>
plm.parameter @wu0 = dense<[[0.72, 0.6, 0.59, 0.63, -0.49, 0.68, 0.35, -0.83], [-0.97, -0.97, 0.51, -0.5, -0.78, 0.25, -0.31, -0.86], [-0.68, 0.05, -0.66, -0.45, 0.42, -0.09, -0.36, -0.05], [-0.95, -0.23, -0.16, -0.62, -0.78, 0.8, 0.02, -0.58]]> : tensor<4x8xf32>
plm.parameter @wu0_b = dense<[0.21, 0.63, -0.96, -0.96, -0.71, 0.44, -0.68, 0.41]> : tensor<8xf32>
plm.parameter @wd0 = dense<[[0.36, 0.09, -0.56, 0.95], [0.6, 0.03, -0.55, 0.3], [-0.21, 0.15, -0.36, 0.26], [-0.88, -0.4, 0.94, 0.75], [-0.39, 0.72, -0.38, 0.88], [0.49, -0.17, -0.5, -0.98], [0.76, -0.92, 0.64, 0.92], [0.14, -0.66, 0.74, 0.95]]> : tensor<8x4xf32>
plm.parameter @wd0_b = dense<[0.41, 0.02, -0.24, -0.31]> : tensor<4xf32>
plm.parameter @f0 = dense<1.0> : tensor<4xf32>
plm.parameter @wq1 = dense<[[-0.59, 0.35, -0.13, -0.61], [-0.79, 0.33, -0.41, -0.0], [-0.35, 0.74, 0.8, -0.96], [-0.6, -0.34, 0.97, 0.57]]> : tensor<4x4xf32>
plm.parameter @wq1_b = dense<[-0.32, -0.57, 0.35, 0.68]> : tensor<4xf32>
plm.parameter @wk1 = dense<[[0.86, -0.31, 0.76, 0.37], [-0.03, 0.97, -0.53, 0.45], [-0.83, -0.66, 0.82, -0.57], [0.52, 0.2, 0.68, -0.26]]> : tensor<4x4xf32>
plm.parameter @wk1_b = dense<[-0.32, -0.42, 0.73, 0.21]> : tensor<4xf32>
plm.parameter @wv1 = dense<[[0.91, 0.77, -0.73, 0.1], [-0.79, -0.92, -0.85, 0.73], [0.58, 0.66, -0.32, 0.23], [0.56, -0.24, 0.14, -0.55]]> : tensor<4x4xf32>
plm.parameter @wv1_b = dense<[-0.84, -0.47, 0.78, 0.13]> : tensor<4xf32>
plm.parameter @wo1 = dense<[[0.85, -0.08, -0.45, 0.57], [0.66, -0.98, 0.34, -0.82], [-0.77, 0.77, -0.92, -0.52], [0.98, -0.16, -0.77, -0.67]]> : tensor<4x4xf32>
plm.parameter @wo1_b = dense<[-0.52, 0.49, -0.79, 0.82]> : tensor<4xf32>
plm.parameter @g1 = dense<1.0> : tensor<4xf32>
plm.parameter @wu1 = dense<[[-0.24, 0.94, 0.82, -0.41, -0.49, -0.05, -0.8, 0.3], [-0.92, -0.98, 0.97, -0.41, 0.19, -0.1, -0.37, -0.87], [0.83, 0.94, 0.94, -0.78, -0.57, 0.24, 0.96, 0.09], [0.38, 0.32, -0.48, 0.08, -0.39, -0.51, -0.84, -0.44]]> : tensor<4x8xf32>
plm.parameter @wu1_b = dense<[0.97, -0.1, 0.3, 0.29, 0.88, -0.22, -0.39, -0.35]> : tensor<8xf32>
plm.parameter @wd1 = dense<[[-0.37, 0.69, 0.79, -0.39], [-0.33, 0.09, 0.16, 0.19], [-0.51, -0.96, -0.51, -0.86], [0.1, -0.86, -0.85, 0.27], [-0.42, 0.58, -0.01, 0.73], [-0.69, 0.0, 0.59, -0.85], [0.9, -0.65, 0.55, 0.97], [0.64, -0.36, -0.79, 0.03]]> : tensor<8x4xf32>
plm.parameter @wd1_b = dense<[0.84, -0.41, 0.79, -0.72]> : tensor<4xf32>
plm.parameter @f1 = dense<1.0> : tensor<4xf32>
func.func @forward(%ids: !ids {plm.name = "input_ids"}, %mask: !ids {plm.name = "attention_mask"}) -> (!x {plm.name = "y"}) {
  %words = plm.get_parameter @words : tensor<9x4xf32>
  %h0 = plm.embedding %ids, %words : (!ids, tensor<9x4xf32>) -> !x
  %wq0 = plm.get_parameter @wq0 : tensor<4x4xf32>
  %wq0_b = plm.get_parameter @wq0_b : tensor<4xf32>
  %q0 = plm.linear %h0, %wq0 bias %wq0_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %wk0 = plm.get_parameter @wk0 : tensor<4x4xf32>
  %wk0_b = plm.get_parameter @wk0_b : tensor<4xf32>
  %k0 = plm.linear %h0, %wk0 bias %wk0_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %wv0 = plm.get_parameter @wv0 : tensor<4x4xf32>
  %wv0_b = plm.get_parameter @wv0_b : tensor<4xf32>
  %v0 = plm.linear %h0, %wv0 bias %wv0_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %a0 = plm.attention %q0, %k0, %v0 mask %mask {num_heads = 2 : i64, scale = 0.7 : f64} : (!x, !x, !x, !ids) -> !x
  %wo0 = plm.get_parameter @wo0 : tensor<4x4xf32>
  %wo0_b = plm.get_parameter @wo0_b : tensor<4xf32>
  %o0 = plm.linear %a0, %wo0 bias %wo0_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %r0 = plm.binary add %o0, %h0 : (!x, !x) -> !x
  %g0 = plm.get_parameter @g0 : tensor<4xf32>
  %y0 = plm.layer_norm %r0, %g0 {epsilon = 1.0e-5 : f64} : (!x, tensor<4xf32>) -> !x
  %wu0 = plm.get_parameter @wu0 : tensor<4x8xf32>
  %wu0_b = plm.get_parameter @wu0_b : tensor<8xf32>
  %u0 = plm.linear %y0, %wu0 bias %wu0_b : (!x, tensor<4x8xf32>, tensor<8xf32>) -> !f
  %e0 = plm.activation gelu %u0 : (!f) -> !f
  %wd0 = plm.get_parameter @wd0 : tensor<8x4xf32>
  %wd0_b = plm.get_parameter @wd0_b : tensor<4xf32>
  %d0 = plm.linear %e0, %wd0 bias %wd0_b : (!f, tensor<8x4xf32>, tensor<4xf32>) -> !x
  %s0 = plm.binary add %d0, %y0 : (!x, !x) -> !x
  %f0 = plm.get_parameter @f0 : tensor<4xf32>
  %h1 = plm.layer_norm %s0, %f0 {epsilon = 1.0e-5 : f64} : (!x, tensor<4xf32>) -> !x
  %wq1 = plm.get_parameter @wq1 : tensor<4x4xf32>
  %wq1_b = plm.get_parameter @wq1_b : tensor<4xf32>
  %q1 = plm.linear %h1, %wq1 bias %wq1_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %wk1 = plm.get_parameter @wk1 : tensor<4x4xf32>
  %wk1_b = plm.get_parameter @wk1_b : tensor<4xf32>
  %k1 = plm.linear %h1, %wk1 bias %wk1_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %wv1 = plm.get_parameter @wv1 : tensor<4x4xf32>
  %wv1_b = plm.get_parameter @wv1_b : tensor<4xf32>
  %v1 = plm.linear %h1, %wv1 bias %wv1_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %a1 = plm.attention %q1, %k1, %v1 mask %mask {num_heads = 2 : i64, scale = 0.7 : f64} : (!x, !x, !x, !ids) -> !x
  %wo1 = plm.get_parameter @wo1 : tensor<4x4xf32>
  %wo1_b = plm.get_parameter @wo1_b : tensor<4xf32>
  %o1 = plm.linear %a1, %wo1 bias %wo1_b : (!x, tensor<4x4xf32>, tensor<4xf32>) -> !x
  %r1 = plm.binary add %o1, %h1 : (!x, !x) -> !x
  %g1 = plm.get_parameter @g1 : tensor<4xf32>
  %y1 = plm.layer_norm %r1, %g1 {epsilon = 1.0e-5 : f64} : (!x, tensor<4xf32>) -> !x
  %wu1 = plm.get_parameter @wu1 : tensor<4x8xf32>
  %wu1_b = plm.get_parameter @wu1_b : tensor<8xf32>
  %u1 = plm.linear %y1, %wu1 bias %wu1_b : (!x, tensor<4x8xf32>, tensor<8xf32>) -> !f
  %e1 = plm.activation gelu %u1 : (!f) -> !f
  %wd1 = plm.get_parameter @wd1 : tensor<8x4xf32>
  %wd1_b = plm.get_parameter @wd1_b : tensor<4xf32>
  %d1 = plm.linear %e1, %wd1 bias %wd1_b : (!f, tensor<8x4xf32>, tensor<4xf32>) -> !x
  %s1 = plm.binary add %d1, %y1 : (!x, !x) -> !x
  %f1 = plm.get_parameter @f1 : tensor<4xf32>
  %h2 = plm.layer_norm %s1, %f1 {epsilon = 1.0e-5 : f64} : (!x, tensor<4xf32>) -> !x
  return %h2 : !x
}
