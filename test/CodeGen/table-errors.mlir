// RUN: plmc-opt %s -split-input-file --plm-lower-to-plk=panel-width=16 -verify-diagnostics

// What kernels trust is checked when a library is made.

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
plm.parameter @codes = dense<[[0, 1], [3, 0]]> : tensor<2x2xui8>
plm.parameter @books = dense<2.0> : tensor<2x3x2xf32>
func.func @forward(%ids: !ids, %mask: !ids) -> tensor<?x4xf32, #plm.dims<"b", "4">> {
  // expected-error @+1 {{reads code 3, but the codebooks have 3 entries}}
  %c = plm.get_parameter @codes : tensor<2x2xui8>
  %b = plm.get_parameter @books : tensor<2x3x2xf32>
  %t = plm.codebook_lookup %c, %b : (tensor<2x2xui8>, tensor<2x3x2xf32>) -> tensor<2x4xf32>
  %e = plm.embedding %ids, %t : (!ids, tensor<2x4xf32>) -> !x
  %p = plm.pool mean %e mask %mask : (!x, !ids) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  return %p : tensor<?x4xf32, #plm.dims<"b", "4">>
}

// -----

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
plm.parameter @table = dense<2.0> : tensor<2x4xf32>
func.func @forward(%ids: !ids, %mask: !ids) -> tensor<?x4xf32, #plm.dims<"b", "4">> {
  // expected-error @+1 {{maps 1 to row 2 of a table of 2 rows}}
  %m = plm.constant dense<[0, 2, 1]> : tensor<3xi64> : tensor<3xi64>
  %t = plm.get_parameter @table : tensor<2x4xf32>
  %g = plm.gather %t, %m axis 0 : (tensor<2x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  %e = plm.embedding %ids, %g : (!ids, tensor<3x4xf32>) -> !x
  %p = plm.pool mean %e mask %mask : (!x, !ids) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  return %p : tensor<?x4xf32, #plm.dims<"b", "4">>
}

// -----

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
plm.parameter @table = dense<[[0, 1, 1, -2], [-1, 2, 0, 0]]> : tensor<2x4xi8>
plm.parameter @scales = dense<0.5> : tensor<2xf32>
func.func @forward(%ids: !ids, %mask: !ids) -> tensor<?x4xf32, #plm.dims<"b", "4">> {
  // expected-error @+1 {{reads the value 2, which does not fit 2 bits}}
  %q = plm.get_parameter @table : tensor<2x4xi8>
  %s = plm.get_parameter @scales : tensor<2xf32>
  %t = plm.dequantize %q scale %s {bits = 2 : i64} : (tensor<2x4xi8>, tensor<2xf32>) -> tensor<2x4xf32>
  %e = plm.embedding %ids, %t : (!ids, tensor<2x4xf32>) -> !x
  %p = plm.pool mean %e mask %mask : (!x, !ids) -> tensor<?x4xf32, #plm.dims<"b", "4">>
  return %p : tensor<?x4xf32, #plm.dims<"b", "4">>
}
