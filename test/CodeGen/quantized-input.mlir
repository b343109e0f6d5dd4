// RUN: plmc-opt %s --plm-lower-to-plk=panel-width=16 | FileCheck %s

// A product of values that were quantized, with weights that are: the codes of
// both are multiplied as integers, and the rows are encoded once for all
// products. Weights with zero points stay a product of floats.

!x = tensor<?x4xf32, #plm.dims<"n", "4">>
!x8 = tensor<?x4xui8, #plm.dims<"n", "4">>
plm.parameter @w = dense<2> : tensor<4x4xi8>
plm.parameter @u = dense<3> : tensor<4x4xui8>

// CHECK-DAG: plk.weight @w.panels [@w] {{.*}} precision int8
// CHECK-DAG: plk.weight @u.panels [@u] {{.*}} zero_point
// CHECK-LABEL: func.func @forward
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
// CHECK-DAG: %[[S:.*]] = plm.constant dense<5.000000e-01>
// CHECK-DAG: %[[Z:.*]] = plm.constant dense<128>
// CHECK: %[[E:.*]] = plk.encode_rows %[[X]] int8 scale %[[S]] zero_point %[[Z]]
// CHECK: plk.linear %[[E]], @w.panels
// CHECK: plk.linear %[[E]], @w.panels
// CHECK: plk.linear %{{.*}}, @u.panels
func.func @forward(%x: !x) -> (!x, !x, !x) {
  %w = plm.get_parameter @w : tensor<4x4xi8>
  %u = plm.get_parameter @u : tensor<4x4xui8>
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %z = plm.constant dense<128> : tensor<ui8> : tensor<ui8>
  %weight = plm.dequantize %w scale %half : (tensor<4x4xi8>, tensor<f32>) -> tensor<4x4xf32>
  %other = plm.dequantize %u scale %half zero_point %z : (tensor<4x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x4xf32>
  %q = plm.quantize %x scale %half zero_point %z : (!x, tensor<f32>, tensor<ui8>) -> !x8
  %d = plm.dequantize %q scale %half zero_point %z : (!x8, tensor<f32>, tensor<ui8>) -> !x
  %a = plm.linear %d, %weight : (!x, tensor<4x4xf32>) -> !x
  %b = plm.linear %d, %weight transposed : (!x, tensor<4x4xf32>) -> !x
  %c = plm.linear %d, %other : (!x, tensor<4x4xf32>) -> !x
  return %a, %b, %c : !x, !x, !x
}
