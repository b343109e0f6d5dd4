// RUN: plmc-opt %s --plm-normalize --plm-recognize-linear --plm-normalize --plm-split-linear --plm-normalize --plm-settle-parameters --cse | FileCheck %s

!x = tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>
!y = tensor<?x?x12xf32, #plm.dims<"batch", "sequence", "12">>
!p = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!half = tensor<?x?x6xf32, #plm.dims<"batch", "sequence", "6">>
!y5 = tensor<?x?x3x2x2xf32, #plm.dims<"batch", "sequence", "3", "2", "2">>
!t5 = tensor<3x?x2x?x2xf32, #plm.dims<"3", "batch", "2", "sequence", "2">>
!h4 = tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>
!z5 = tensor<?x?x2x3x2xf32, #plm.dims<"batch", "sequence", "2", "3", "2">>
!s5 = tensor<?x?x2x1x2xf32, #plm.dims<"batch", "sequence", "2", "1", "2">>

// CHECK-DAG: plm.parameter @qkv.q = {{.*}} : tensor<2x4xf32>
// CHECK-DAG: plm.parameter @qkv.k = {{.*}} : tensor<2x4xf32>
// CHECK-DAG: plm.parameter @qkv.v = {{.*}} : tensor<2x4xf32>
// CHECK-DAG: plm.parameter @bias.v = {{.*}} : tensor<4xf32>
plm.parameter @qkv = dense<[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0],
                            [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]]> : tensor<2x12xf32>
plm.parameter @bias = dense<[0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.12]> : tensor<12xf32>
plm.parameter @stored = dense<[[1.0, 0.1], [2.0, 0.2], [3.0, 0.3], [4.0, 0.4], [5.0, 0.5], [6.0, 0.6],
                               [7.0, 0.7], [8.0, 0.8], [9.0, 0.9], [10.0, 1.0], [11.0, 1.1], [12.0, 1.2]]> : tensor<12x2xf32>

// CHECK-LABEL: func @thirds
// CHECK-DAG: %[[Q:.*]] = plm.get_parameter @qkv.q
// CHECK-DAG: %[[V:.*]] = plm.get_parameter @qkv.v
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @bias.v
// CHECK-DAG: plm.linear %arg0, %[[Q]] bias
// CHECK-DAG: plm.linear %arg0, %[[V]] bias %[[B]]
// CHECK-NOT: plm.slice
func.func @thirds(%x: !x) -> (!p, !p, !p) {
  %w = plm.get_parameter @qkv : tensor<2x12xf32>
  %b = plm.get_parameter @bias : tensor<12xf32>
  %m = plm.matmul %x, %w : (!x, tensor<2x12xf32>) -> !y
  %y = plm.binary add %m, %b : (!y, tensor<12xf32>) -> !y
  %q = plm.slice %y ["0", "0", "0"] [1, 1, 1] : (!y) -> !p
  %k = plm.slice %y ["0", "0", "4"] [1, 1, 1] : (!y) -> !p
  %v = plm.slice %y ["0", "0", "8"] [1, 1, 1] : (!y) -> !p
  return %q, %k, %v : !p, !p, !p
}

// The second layer that reads this weight gets the same three parameters; cut
// behind a transpose, by gathers.
// CHECK-LABEL: func @gathered
// CHECK: plm.get_parameter @qkv.q :
// CHECK: plm.linear %arg0
// CHECK: plm.get_parameter @qkv.k :
// CHECK: plm.linear %arg0
// CHECK: plm.get_parameter @qkv.v :
// CHECK: plm.linear %arg0
// CHECK-NOT: plm.gather
// CHECK-NOT: plm.slice
func.func @gathered(%x: !x) -> (!h4, !h4, !h4) {
  %w = plm.get_parameter @qkv : tensor<2x12xf32>
  %zero = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %one = plm.constant dense<1> : tensor<i64> : tensor<i64>
  %last = plm.constant dense<-1> : tensor<i64> : tensor<i64>
  %y = plm.matmul %x, %w : (!x, tensor<2x12xf32>) -> !y
  %r = plm.reshape %y : (!y) -> !y5
  %t = plm.transpose %r [2, 0, 3, 1, 4] : (!y5) -> !t5
  %q = plm.gather %t, %zero axis 0 : (!t5, tensor<i64>) -> !h4
  %k = plm.gather %t, %one axis 0 : (!t5, tensor<i64>) -> !h4
  %v = plm.gather %t, %last axis 0 : (!t5, tensor<i64>) -> !h4
  return %q, %k, %v : !h4, !h4, !h4
}

// Query, key and value of one head side by side; a weight [N, K].
// CHECK-LABEL: func @head_by_head
// CHECK-COUNT-3: plm.linear %arg0, {{.*}} transposed : ({{.*}}, tensor<4x2xf32>)
// CHECK-NOT: plm.slice
func.func @head_by_head(%x: !x) -> (!s5, !s5, !s5) {
  %w = plm.get_parameter @stored : tensor<12x2xf32>
  %wt = plm.transpose %w [1, 0] : (tensor<12x2xf32>) -> tensor<2x12xf32>
  %y = plm.matmul %x, %wt : (!x, tensor<2x12xf32>) -> !y
  %r = plm.reshape %y : (!y) -> !z5
  %q = plm.slice %r ["0", "0", "0", "0", "0"] [1, 1, 1, 1, 1] : (!z5) -> !s5
  %k = plm.slice %r ["0", "0", "0", "1", "0"] [1, 1, 1, 1, 1] : (!z5) -> !s5
  %v = plm.slice %r ["0", "0", "0", "2", "0"] [1, 1, 1, 1, 1] : (!z5) -> !s5
  return %q, %k, %v : !s5, !s5, !s5
}

// The halves of a gate.
// CHECK-LABEL: func @gate
// CHECK: plm.get_parameter @qkv.part0
// CHECK: plm.linear
// CHECK: plm.get_parameter @qkv.part1
// CHECK: plm.linear
// CHECK-NOT: plm.slice
func.func @gate(%x: !x) -> !half {
  %w = plm.get_parameter @qkv : tensor<2x12xf32>
  %y = plm.matmul %x, %w : (!x, tensor<2x12xf32>) -> !y
  %a = plm.slice %y ["0", "0", "0"] [1, 1, 1] : (!y) -> !half
  %b = plm.slice %y ["0", "0", "6"] [1, 1, 1] : (!y) -> !half
  %g = plm.activation gelu %a : (!half) -> !half
  %r = plm.binary mul %g, %b : (!half, !half) -> !half
  return %r : !half
}

// Somebody reads all of it.
// CHECK-LABEL: func @read_whole
// CHECK-COUNT-1: plm.linear
// CHECK: plm.slice
func.func @read_whole(%x: !x) -> (!y, !half) {
  %w = plm.get_parameter @qkv : tensor<2x12xf32>
  %y = plm.matmul %x, %w : (!x, tensor<2x12xf32>) -> !y
  %a = plm.slice %y ["0", "0", "0"] [1, 1, 1] : (!y) -> !half
  return %y, %a : !y, !half
}

// Columns that are read twice would be computed twice.
// CHECK-LABEL: func @overlapping
// CHECK-COUNT-1: plm.linear
// CHECK: plm.slice
func.func @overlapping(%x: !x) -> (!half, !half, !half) {
  %w = plm.get_parameter @qkv : tensor<2x12xf32>
  %y = plm.matmul %x, %w : (!x, tensor<2x12xf32>) -> !y
  %a = plm.slice %y ["0", "0", "0"] [1, 1, 1] : (!y) -> !half
  %b = plm.slice %y ["0", "0", "3"] [1, 1, 1] : (!y) -> !half
  %c = plm.slice %y ["0", "0", "6"] [1, 1, 1] : (!y) -> !half
  return %a, %b, %c : !half, !half, !half
}

// Tokens are cut, not columns.
// CHECK-LABEL: func @other_axis
// CHECK-COUNT-1: plm.linear
// CHECK: plm.slice
!x1 = tensor<?x1x12xf32, #plm.dims<"batch", "1", "12">>
func.func @other_axis(%x: !x) -> !x1 {
  %w = plm.get_parameter @qkv : tensor<2x12xf32>
  %y = plm.matmul %x, %w : (!x, tensor<2x12xf32>) -> !y
  %a = plm.slice %y ["0", "0", "0"] [1, 1, 1] : (!y) -> !x1
  return %a : !x1
}
