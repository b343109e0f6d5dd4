// Weights of products in int8: what lies beside the codes.
// RUN: split-file %s %t
// RUN: plmc-opt %t/ok.mlir --plm-lower-to-plk="panel-width=32" | FileCheck %t/ok.mlir
// RUN: not plmc-opt %t/wide.mlir --plm-lower-to-plk 2>&1 | FileCheck %t/wide.mlir
// RUN: not plmc-opt %t/rows.mlir --plm-lower-to-plk 2>&1 | FileCheck %t/rows.mlir

//--- ok.mlir
// Two scales of each column that are bf16, then its sum in three parts, and
// zero points of the type of the values.
// CHECK: plk.weight @w.scale.panels [@w.scale] [5, 8] panel 32 transposed [false] precision bf16
// CHECK: plk.weight @w.zero_point.panels [@w.zero_point] [2, 8] panel 32 transposed [false] quantized ui8
// CHECK: plk.weight @w.panels [@w] [64, 8] panel 32 transposed [false] quantized ui8 scale @w.scale.panels zero_point @w.zero_point.panels axis 1 precision int8 block 32 {bits = 2 : i64}
// A scale that is none in bf16: f32. Zero points that are 0 are none.
// CHECK: plk.weight @[[FINE:.*]] [@w.scale{{.*}}] [3, 8] panel 32 transposed [false]{{$}}
// CHECK: plk.weight @{{.*}} [@w] [64, 8] panel 32 transposed [false] quantized ui8 scale @[[FINE]] axis 1 precision int8 block 32 {bits = 3 : i64}
plm.parameter @w = dense<1> : tensor<64x8xui8>
func.func @forward(%x: tensor<?x?x64xf32, #plm.dims<"b", "s", "64">> {plm.name = "x"}) -> (tensor<?x?x8xf32, #plm.dims<"b", "s", "8">> {plm.name = "y"}) {
  %w = plm.get_parameter @w : tensor<64x8xui8>
  %s = plm.constant dense<0.1875> : tensor<2x8xf32> : tensor<2x8xf32>
  %z = plm.constant dense<2> : tensor<2x8xui8> : tensor<2x8xui8>
  %fine = plm.constant dense<0.1> : tensor<2x8xf32> : tensor<2x8xf32>
  %none = plm.constant dense<0> : tensor<2x8xui8> : tensor<2x8xui8>
  %0 = plm.dequantize %w scale %s zero_point %z {bits = 2 : i64, block_size = 32 : i64} : (tensor<64x8xui8>, tensor<2x8xf32>, tensor<2x8xui8>) -> tensor<64x8xf32>
  %1 = plm.linear %x, %0 precision int8 : (tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>, tensor<64x8xf32>) -> tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
  %2 = plm.dequantize %w scale %fine zero_point %none {bits = 3 : i64, block_size = 32 : i64} : (tensor<64x8xui8>, tensor<2x8xf32>, tensor<2x8xui8>) -> tensor<64x8xf32>
  %3 = plm.linear %x, %2 precision int8 : (tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>, tensor<64x8xf32>) -> tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
  %4 = plm.binary add %1, %3 : (tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>, tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>) -> tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
  return %4 : tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
}

//--- wide.mlir
// CHECK: 'plm.linear' op the weight has the value -3, which does not fit 2 bits
plm.parameter @w = dense<-3> : tensor<64x8xi8>
func.func @forward(%x: tensor<?x64xf32, #plm.dims<"b", "64">> {plm.name = "x"}) -> (tensor<?x8xf32, #plm.dims<"b", "8">> {plm.name = "y"}) {
  %w = plm.get_parameter @w : tensor<64x8xi8>
  %s = plm.constant dense<0.5> : tensor<8xf32> : tensor<8xf32>
  %0 = plm.dequantize %w scale %s {axis = 1 : i64, bits = 2 : i64} : (tensor<64x8xi8>, tensor<8xf32>) -> tensor<64x8xf32>
  %1 = plm.linear %x, %0 precision int8 : (tensor<?x64xf32, #plm.dims<"b", "64">>, tensor<64x8xf32>) -> tensor<?x8xf32, #plm.dims<"b", "8">>
  return %1 : tensor<?x8xf32, #plm.dims<"b", "8">>
}

//--- rows.mlir
// CHECK: 'plm.linear' op in int8 needs one scale for each column of the weight, or for blocks of 32, 64, ... of its rows that divide their number
plm.parameter @w = dense<1> : tensor<80x8xi8>
func.func @forward(%x: tensor<?x80xf32, #plm.dims<"b", "80">> {plm.name = "x"}) -> (tensor<?x8xf32, #plm.dims<"b", "8">> {plm.name = "y"}) {
  %w = plm.get_parameter @w : tensor<80x8xi8>
  %s = plm.constant dense<0.5> : tensor<3x8xf32> : tensor<3x8xf32>
  %0 = plm.dequantize %w scale %s {block_size = 32 : i64, bits = 2 : i64} : (tensor<80x8xi8>, tensor<3x8xf32>) -> tensor<80x8xf32>
  %1 = plm.linear %x, %0 precision int8 : (tensor<?x80xf32, #plm.dims<"b", "80">>, tensor<80x8xf32>) -> tensor<?x8xf32, #plm.dims<"b", "8">>
  return %1 : tensor<?x8xf32, #plm.dims<"b", "8">>
}
