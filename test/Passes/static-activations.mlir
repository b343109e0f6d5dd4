// RUN: %python %S/../Tools/Inputs/sequences.py %t.npz 20 6
// RUN: plmc-opt %s --plm-static-activations="calibration=%t.npz" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s --plm-static-activations="method=mse calibration=%t.npz" | FileCheck %s --check-prefix=MSE
// RUN: not plmc-opt %s --plm-static-activations="method=max calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=METHOD
// RUN: not plmc-opt %s --plm-static-activations="percentile=10 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=PERCENT
// RUN: not plmc-opt %s --plm-static-activations 2>&1 | FileCheck %s --check-prefix=DATA

// The rows that are read lie between -4 and 7: 11 / 255, and 0 at -128 + 93. Both
// products of one value share it; the one with groups stays as it was.
// CHECK-LABEL: func.func @forward
// CHECK: %[[X:.*]] = plm.embedding
// CHECK: %[[S:.*]] = plm.constant dense<0.043137256
// CHECK: %[[Z:.*]] = plm.constant dense<-35>
// CHECK: %[[Q:.*]] = plm.quantize %[[X]] scale %[[S]] zero_point %[[Z]] :
// CHECK: %[[D:.*]] = plm.dequantize %[[Q]] scale %[[S]] zero_point %[[Z]] :
// CHECK-NOT: plm.quantize
// CHECK: plm.linear %[[D]], %{{[^ ]*}} : (
// CHECK: plm.linear %[[D]], %{{[^ ]*}} : (
// CHECK: plm.linear %[[X]], %{{[^ ]*}} precision int8
// COUNT: plm-static-activations: products left dynamic: 1
// COUNT-COUNT-2: plm-static-activations: products with a fixed scale: 1
// MSE: plm.quantize
// METHOD: error: method=max: known are min-max, percentile, mse
// PERCENT: error: percentile must be above 50, at most 100
// DATA: error: the ranges of activations need data: give calibration=FILE.npz

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
plm.parameter @words = dense<[[1.0, 2.0], [3.0, -4.0], [0.5, 1.0], [7.0, 1.0], [2.0, 3.0], [-1.0, 5.0]]> : tensor<6x2xf32>
plm.parameter @a = dense<[[100, 2], [3, 4]]> : tensor<2x2xi8>
plm.parameter @b = dense<[[1, -2], [3, 4]]> : tensor<2x2xi8>
plm.parameter @scales = dense<[0.5, 0.25]> : tensor<2xf32>
plm.parameter @groups = dense<[[0.5, 0.25], [1.0, 2.0]]> : tensor<2x2xf32>
func.func @forward(%ids: !ids {plm.name = "input_ids"}) -> (!x {plm.name = "y"}) {
  %w = plm.get_parameter @words : tensor<6x2xf32>
  %a8 = plm.get_parameter @a : tensor<2x2xi8>
  %b8 = plm.get_parameter @b : tensor<2x2xi8>
  %s = plm.get_parameter @scales : tensor<2xf32>
  %g = plm.get_parameter @groups : tensor<2x2xf32>
  %a = plm.dequantize %a8 scale %s {axis = 1 : i64} : (tensor<2x2xi8>, tensor<2xf32>) -> tensor<2x2xf32>
  %b = plm.dequantize %b8 scale %g {axis = 0 : i64, block_size = 1 : i64} : (tensor<2x2xi8>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %0 = plm.embedding %ids, %w : (!ids, tensor<6x2xf32>) -> !x
  %1 = plm.linear %0, %a precision int8 : (!x, tensor<2x2xf32>) -> !x
  %2 = plm.linear %0, %a precision int8 : (!x, tensor<2x2xf32>) -> !x
  %3 = plm.linear %0, %b precision int8 : (!x, tensor<2x2xf32>) -> !x
  %4 = plm.binary add %1, %2 : (!x, !x) -> !x
  %5 = plm.binary add %3, %4 : (!x, !x) -> !x
  return %5 : !x
}
