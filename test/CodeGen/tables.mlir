// RUN: plmc-opt %s -split-input-file --plm-lower-to-plk=panel-width=16 --plk-fuse | FileCheck %s

// Codes, an alias map and 8-bit codebooks are stored as they are, and one
// kernel adds up what they stand for.

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
!row = tensor<1x?x8xf32, #plm.dims<"1", "s", "8">>
plm.parameter @codes = dense<1> : tensor<5x2xui8>
plm.parameter @books = dense<2> : tensor<2x3x4xi8>
plm.parameter @scales = dense<[0.5, 0.25]> : tensor<2xf32>
plm.parameter @map = dense<[4, 0, -1, 2, 2, 1, 0]> : tensor<7xi32>
plm.parameter @position = dense<3> : tensor<9x8xi8>
plm.parameter @g = dense<1.0> : tensor<8xf32>

// CHECK-DAG: plk.weight @codes.plain{{.*}} [@codes] [5, 2] transposed {{.*}} quantized ui8 codebooks @books.plain map @map.plain
// CHECK-DAG: plk.weight @books.plain [@books] [2, 3, 4] transposed {{.*}} quantized i8 scale @books.scale.plain axis 1
// CHECK-DAG: plk.weight @books.scale.plain [@books.scale] [8]
// CHECK-DAG: plk.weight @map.plain [@{{map.*}}] [7] transposed {{.*}} quantized ui16
// CHECK-NOT: plm.codebook_lookup
// CHECK-NOT: plm.gather
// CHECK-LABEL: func.func @forward
// CHECK: plk.embed %arg0 tables [@codes.plain{{.*}}] position @position.plain norm @g.plain
// CHECK-NOT: plm.codebook_lookup
func.func @forward(%ids: !ids, %mask: !ids) -> !x {
  plm.constraint "9 - s", "too long"
  %c = plm.get_parameter @codes : tensor<5x2xui8>
  %b8 = plm.get_parameter @books : tensor<2x3x4xi8>
  %s = plm.get_parameter @scales : tensor<2xf32>
  %m = plm.get_parameter @map : tensor<7xi32>
  %p8 = plm.get_parameter @position : tensor<9x8xi8>
  %g = plm.get_parameter @g : tensor<8xf32>
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %b = plm.dequantize %b8 scale %s : (tensor<2x3x4xi8>, tensor<2xf32>) -> tensor<2x3x4xf32>
  %rows = plm.codebook_lookup %c, %b : (tensor<5x2xui8>, tensor<2x3x4xf32>) -> tensor<5x8xf32>
  %table = plm.gather %rows, %m axis 0 : (tensor<5x8xf32>, tensor<7xi32>) -> tensor<7x8xf32>
  %p = plm.dequantize %p8 scale %half : (tensor<9x8xi8>, tensor<f32>) -> tensor<9x8xf32>
  %e = plm.embedding %ids, %table : (!ids, tensor<7x8xf32>) -> !x
  %q = plm.position_embedding %p : (tensor<9x8xf32>) -> !row
  %sum = plm.binary add %e, %q : (!x, !row) -> !x
  %n = plm.layer_norm %sum, %g {epsilon = 1.0e-12 : f64} : (!x, tensor<8xf32>) -> !x
  %a = plm.attention %n, %n, %n mask %mask {num_heads = 1 : i64, scale = 1.0 : f64} : (!x, !x, !x, !ids) -> !x
  return %a : !x
}

// -----

// No packed rows: the lookup goes below what computes the table.

!ids = tensor<?xi64, #plm.dims<"n">>
plm.parameter @codes = dense<1> : tensor<5x2xui8>
plm.parameter @books = dense<2.0> : tensor<2x3x4xf32>
plm.parameter @map = dense<[4, 0, -1, 2, 2, 1, 0]> : tensor<7xi32>
plm.parameter @q = dense<1> : tensor<7x8xi8>
plm.parameter @s = dense<1.0> : tensor<7xf32>
// CHECK-LABEL: func.func @forward
// CHECK: %[[ROW:.*]] = plm.embedding %arg0, %{{.*}} : ({{.*}}, tensor<7x1xi32>) -> tensor<?x1xi32
// CHECK: %[[INDEX:.*]] = plm.reshape %[[ROW]]
// CHECK: %[[CODES:.*]] = plm.gather %{{.*}}, %[[INDEX]] axis 0 : (tensor<5x2xui8>
// CHECK: plm.codebook_lookup %[[CODES]], %{{.*}} -> tensor<?x8xf32
// CHECK-DAG: %[[Q:.*]] = plm.embedding %arg0, %{{.*}} : ({{.*}}, tensor<7x8xi8>)
// CHECK-DAG: %[[S:.*]] = plm.embedding %arg0, %{{.*}} : ({{.*}}, tensor<7x1xf32>)
// CHECK: plm.dequantize %[[Q]] scale %[[S]] {axis = 1 : i64, block_size = 8 : i64}
func.func @forward(%ids: !ids) -> tensor<?x8xf32, #plm.dims<"n", "8">> {
  %c = plm.get_parameter @codes : tensor<5x2xui8>
  %b = plm.get_parameter @books : tensor<2x3x4xf32>
  %m = plm.get_parameter @map : tensor<7xi32>
  %q = plm.get_parameter @q : tensor<7x8xi8>
  %s = plm.get_parameter @s : tensor<7xf32>
  %rows = plm.codebook_lookup %c, %b : (tensor<5x2xui8>, tensor<2x3x4xf32>) -> tensor<5x8xf32>
  %table = plm.gather %rows, %m axis 0 : (tensor<5x8xf32>, tensor<7xi32>) -> tensor<7x8xf32>
  %other = plm.dequantize %q scale %s : (tensor<7x8xi8>, tensor<7xf32>) -> tensor<7x8xf32>
  %e = plm.embedding %ids, %table : (!ids, tensor<7x8xf32>) -> tensor<?x8xf32, #plm.dims<"n", "8">>
  %f = plm.embedding %ids, %other : (!ids, tensor<7x8xf32>) -> tensor<?x8xf32, #plm.dims<"n", "8">>
  %r = plm.binary add %e, %f : (tensor<?x8xf32, #plm.dims<"n", "8">>, tensor<?x8xf32, #plm.dims<"n", "8">>) -> tensor<?x8xf32, #plm.dims<"n", "8">>
  return %r : tensor<?x8xf32, #plm.dims<"n", "8">>
}

// -----

// A factorised table: its product takes the other embeddings and the norm.

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!e = tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
!x = tensor<?x?x8xf32, #plm.dims<"b", "s", "8">>
!row = tensor<1x?x8xf32, #plm.dims<"1", "s", "8">>
plm.parameter @table = dense<1.0> : tensor<5x2xf32>
plm.parameter @up = dense<1.0> : tensor<2x8xf32>
plm.parameter @types = dense<1.0> : tensor<2x8xf32>
plm.parameter @position = dense<1.0> : tensor<9x8xf32>
plm.parameter @g = dense<1.0> : tensor<8xf32>
// CHECK-LABEL: func.func @forward
// CHECK-DAG: %[[E:.*]] = plk.embed %arg0 tables [@table.plain] :
// CHECK-DAG: %[[R:.*]] = plk.embed %arg1 tables [@types.plain] position @position.plain :
// CHECK: %[[N:.*]] = plk.linear %[[E]], @up.panels residual %[[R]] norm @g.plain
// CHECK-NOT: plm.binary
// CHECK: plk.attention %[[N]]
func.func @forward(%ids: !ids, %types: !ids, %mask: !ids) -> !x {
  plm.constraint "9 - s", "too long"
  %t = plm.get_parameter @table : tensor<5x2xf32>
  %u = plm.get_parameter @up : tensor<2x8xf32>
  %y = plm.get_parameter @types : tensor<2x8xf32>
  %p = plm.get_parameter @position : tensor<9x8xf32>
  %g = plm.get_parameter @g : tensor<8xf32>
  %e = plm.embedding %ids, %t : (!ids, tensor<5x2xf32>) -> !e
  %w = plm.linear %e, %u : (!e, tensor<2x8xf32>) -> !x
  %k = plm.embedding %types, %y : (!ids, tensor<2x8xf32>) -> !x
  %q = plm.position_embedding %p : (tensor<9x8xf32>) -> !row
  %0 = plm.binary add %w, %k : (!x, !x) -> !x
  %1 = plm.binary add %0, %q : (!x, !row) -> !x
  %n = plm.layer_norm %1, %g {epsilon = 1.0e-12 : f64} : (!x, tensor<8xf32>) -> !x
  %a = plm.attention %n, %n, %n mask %mask {num_heads = 1 : i64, scale = 1.0 : f64} : (!x, !x, !x, !ids) -> !x
  return %a : !x
}

// -----

// Values of 2 and 3 bits are codes of as many bits. One parameter read in two
// ways is stored in both.

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>
!row = tensor<1x?x64xf32, #plm.dims<"1", "s", "64">>
plm.parameter @q = dense<-1> : tensor<9x64xi8>
plm.parameter @scales = dense<0.25> : tensor<9x2xf32>
plm.parameter @row_scales = dense<0.1> : tensor<9xf32>
// CHECK-DAG: plk.weight @[[TWO:.*]] [@q] [9, 64] transposed {{.*}} quantized i8 scale @[[S:.*]] axis 0 block 32 {bits = 2 : i64}
// CHECK-DAG: plk.weight @[[S]] [@{{.*}}] [9, 2] {{.*}} quantized ui16
// CHECK-DAG: plk.weight @[[THREE:.*]] [@q] [9, 64] transposed {{.*}} quantized i8 scale @[[R:.*]] axis 0 {bits = 3 : i64}
// CHECK-DAG: plk.weight @[[R]] [@{{.*}}] [9, 1]
// CHECK-LABEL: func.func @forward
// CHECK: plk.embed %arg0 tables [@[[TWO]]] position @[[THREE]]
// CHECK-NOT: plm.dequantize
func.func @forward(%ids: !ids, %mask: !ids) -> !x {
  plm.constraint "9 - s", "too long"
  %q = plm.get_parameter @q : tensor<9x64xi8>
  %s = plm.get_parameter @scales : tensor<9x2xf32>
  %r = plm.get_parameter @row_scales : tensor<9xf32>
  %two = plm.dequantize %q scale %s {axis = 1 : i64, bits = 2 : i64, block_size = 32 : i64} : (tensor<9x64xi8>, tensor<9x2xf32>) -> tensor<9x64xf32>
  %three = plm.dequantize %q scale %r {bits = 3 : i64} : (tensor<9x64xi8>, tensor<9xf32>) -> tensor<9x64xf32>
  %e = plm.embedding %ids, %two : (!ids, tensor<9x64xf32>) -> !x
  %p = plm.position_embedding %three : (tensor<9x64xf32>) -> !row
  %sum = plm.binary add %e, %p : (!x, !row) -> !x
  %a = plm.attention %sum, %sum, %sum mask %mask {num_heads = 1 : i64, scale = 1.0 : f64} : (!x, !x, !x, !ids) -> !x
  return %a : !x
}
