// RUN: plmc-opt --plm-promote-floats --split-input-file --verify-diagnostics %s | FileCheck %s

// Parameters, constants and values become f32; the casts of a mixed model
// vanish. Arguments and results keep their types.
// CHECK: plm.parameter @w = dense<[1.500000e+00, -6.550400e+04]> : tensor<2xf32>
plm.parameter @w = dense<[1.5, -65504.0]> : tensor<2xf16>
// CHECK-LABEL: @mixed(%arg0: tensor<?x2xf16,{{.*}}>) -> tensor<?x2xf16,
func.func @mixed(%x: tensor<?x2xf16, #plm.dims<"n", "2">>) -> tensor<?x2xf16, #plm.dims<"n", "2">> {
  // CHECK-NEXT: %[[X:.*]] = plm.cast %arg0 : {{.*}}f16,{{.*}} -> tensor<?x2xf32,
  // CHECK-NEXT: %[[W:.*]] = plm.get_parameter @w : tensor<2xf32>
  // CHECK-NEXT: %[[S:.*]] = plm.binary add %[[X]], %[[W]]
  // CHECK-NEXT: %[[E:.*]] = plm.unary exp %[[S]]
  // CHECK-NEXT: %[[Y:.*]] = plm.cast %[[E]] : {{.*}}f32,{{.*}} -> tensor<?x2xf16,
  // CHECK-NEXT: return %[[Y]]
  %w = plm.get_parameter @w : tensor<2xf16>
  %s = plm.binary add %x, %w : (tensor<?x2xf16, #plm.dims<"n", "2">>, tensor<2xf16>) -> tensor<?x2xf16, #plm.dims<"n", "2">>
  %f = plm.cast %s : (tensor<?x2xf16, #plm.dims<"n", "2">>) -> tensor<?x2xf32, #plm.dims<"n", "2">>
  %e = plm.unary exp %f : (tensor<?x2xf32, #plm.dims<"n", "2">>) -> tensor<?x2xf32, #plm.dims<"n", "2">>
  %h = plm.cast %e : (tensor<?x2xf32, #plm.dims<"n", "2">>) -> tensor<?x2xf16, #plm.dims<"n", "2">>
  return %h : tensor<?x2xf16, #plm.dims<"n", "2">>
}

// -----

// What a mask is filled with stays finite, infinities and NaN what they are.
// CHECK: plm.parameter @fills = dense<[-3.40282347E+38, 0xFF800000, 0x7FC00000, 2.500000e-01]> : tensor<4xf32>
plm.parameter @fills = dense<[-1.7976931348623157e+308, 0xFFF0000000000000, 0x7FF8000000000000, 0.25]> : tensor<4xf64>
// CHECK-LABEL: @fill(
func.func @fill() -> (tensor<4xf64>, tensor<f64>) {
  // CHECK: plm.constant dense<-3.40282347E+38> : tensor<f32>
  %0 = plm.get_parameter @fills : tensor<4xf64>
  %1 = plm.constant dense<-1.7976931348623157e+308> : tensor<f64> : tensor<f64>
  return %0, %1 : tensor<4xf64>, tensor<f64>
}

// -----

// Integers are cast from and to as they were; a mask is read as it was given,
// and what is only passed on is not touched.
// CHECK-LABEL: @integers
func.func @integers(%mask: tensor<3xf64>, %ids: tensor<3xi64>) -> (tensor<3xi1>, tensor<3xi64>, tensor<3xf64>) {
  // CHECK-NEXT: plm.cast %arg0 : (tensor<3xf64>) -> tensor<3xi1>
  // CHECK-NEXT: plm.cast %arg1 : (tensor<3xi64>) -> tensor<3xf32>
  // CHECK-NEXT: plm.unary neg {{.*}} tensor<3xf32>
  // CHECK-NEXT: plm.cast {{.*}} : (tensor<3xf32>) -> tensor<3xi64>
  // CHECK-NEXT: return {{.*}}, %arg0
  %0 = plm.cast %mask : (tensor<3xf64>) -> tensor<3xi1>
  %1 = plm.cast %ids : (tensor<3xi64>) -> tensor<3xf16>
  %2 = plm.unary neg %1 : (tensor<3xf16>) -> tensor<3xf16>
  %3 = plm.cast %2 : (tensor<3xf16>) -> tensor<3xi64>
  return %0, %3, %mask : tensor<3xi1>, tensor<3xi64>, tensor<3xf64>
}

// -----

// The numbers of a GELU have been rounded; other numbers are what they are.
// CHECK-LABEL: @rounded
func.func @rounded() -> (tensor<f16>, tensor<bf16>, tensor<f16>, tensor<2xf16>) {
  // CHECK-NEXT: dense<1.41421354> : tensor<f32>
  // CHECK-NEXT: dense<-0.797884583> : tensor<f32>
  // CHECK-NEXT: dense<1.41503906> : tensor<f32>
  // CHECK-NEXT: dense<1.4140625> : tensor<2xf32>
  %0 = plm.constant dense<1.4140625> : tensor<f16> : tensor<f16>
  %1 = plm.constant dense<-0.796875> : tensor<bf16> : tensor<bf16>
  %2 = plm.constant dense<1.41503906> : tensor<f16> : tensor<f16>
  %3 = plm.constant dense<1.4140625> : tensor<2xf16> : tensor<2xf16>
  return %0, %1, %2, %3 : tensor<f16>, tensor<bf16>, tensor<f16>, tensor<2xf16>
}

// -----

func.func @foreign(%x: tensor<3xf32>) -> tensor<3xf8E5M2> {
  // expected-error @+1 {{which cannot be converted to f32; export the model in float32}}
  %0 = plm.cast %x : (tensor<3xf32>) -> tensor<3xf8E5M2>
  return %0 : tensor<3xf8E5M2>
}
