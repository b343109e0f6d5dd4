// RUN: %python %S/../Tools/Inputs/sequences.py %t.npz 20 6
// RUN: plmc-opt %s --plm-smooth-activations="calibration=%t.npz" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s --plm-smooth-activations="copy-norms calibration=%t.npz" | FileCheck %s --check-prefix=COPY
// RUN: plmc-opt %s --plm-set-precision="precision=int8 min-elements=0" --plm-smooth-activations="calibration=%t.npz" | FileCheck %s --check-prefix=QUANTISED
// RUN: not plmc-opt %s --plm-smooth-activations 2>&1 | FileCheck %s --check-prefix=DATA
// RUN: not plmc-opt %s --plm-smooth-activations="alpha=1.5 calibration=%t.npz" 2>&1 | FileCheck %s --check-prefix=ALPHA
// RUN: not plmc-opt %s --plm-smooth-activations="calibration=%t.none.npz" 2>&1 | FileCheck %s --check-prefix=MISSING

// The first norm feeds the residual, too; the second one only a product. ReLU
// lets positive factors pass, GELU does not.
// CHECK-NOT: plm.parameter @own =
// CHECK-DAG: plm.parameter @own_{{.*}} =
// CHECK-DAG: plm.parameter @shared =
// CHECK-DAG: plm.parameter @up_{{.*}} =
// CHECK-DAG: plm.parameter @upbias_{{.*}} =
// CHECK-DAG: plm.parameter @down_{{.*}} =
// CHECK-DAG: plm.parameter @gelu =
// CHECK-LABEL: func.func @forward
// CHECK-COUNT-2: plm.layer_norm
// CHECK-NOT: plm.layer_norm
// COUNT: plm-smooth-activations: norms: 1
// COUNT: plm-smooth-activations: values of attention and ReLU: 1

// COPY-LABEL: func.func @forward
// COPY: %[[A:.*]] = plm.layer_norm %[[X:[^,]*]], %[[G:[^ ]*]] {
// COPY: %[[B:.*]] = plm.layer_norm %[[X]], %[[H:[^ ]*]] {
// COPY: plm.linear %[[B]],
// COPY: plm.binary add %{{.*}}, %[[A]]

// QUANTISED-DAG: plm.parameter @own =
// DATA: error: the ranges of activations need data: give calibration=FILE.npz
// ALPHA: error: alpha must be between 0 and 1
// MISSING: error: {{.*}}none.npz

!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
plm.parameter @words = dense<[[1.0, 2.0], [3.0, -4.0], [0.5, 1.0], [7.0, 1.0], [2.0, 3.0], [-1.0, 5.0]]> : tensor<6x2xf32>
plm.parameter @shared = dense<[3.0, 0.5]> : tensor<2xf32>
plm.parameter @own = dense<[0.1, 9.0]> : tensor<2xf32>
plm.parameter @gelu = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
plm.parameter @back = dense<[[1.0, -2.0], [0.1, 4.0]]> : tensor<2x2xf32>
plm.parameter @up = dense<[[1.0, 5.0], [3.0, 0.0]]> : tensor<2x2xf32>
plm.parameter @upbias = dense<[0.5, 0.25]> : tensor<2xf32>
plm.parameter @down = dense<[[1.0, 2.0], [30.0, 40.0]]> : tensor<2x2xf32>
func.func @forward(%ids: !ids {plm.name = "input_ids"}) -> (!x {plm.name = "y"}) {
  %w = plm.get_parameter @words : tensor<6x2xf32>
  %g = plm.get_parameter @shared : tensor<2xf32>
  %h = plm.get_parameter @own : tensor<2xf32>
  %wg = plm.get_parameter @gelu : tensor<2x2xf32>
  %wb = plm.get_parameter @back : tensor<2x2xf32>
  %wu = plm.get_parameter @up : tensor<2x2xf32>
  %bu = plm.get_parameter @upbias : tensor<2xf32>
  %wd = plm.get_parameter @down : tensor<2x2xf32>
  %0 = plm.embedding %ids, %w : (!ids, tensor<6x2xf32>) -> !x
  %1 = plm.layer_norm %0, %g {epsilon = 1.0e-5 : f64} : (!x, tensor<2xf32>) -> !x
  %2 = plm.linear %1, %wg : (!x, tensor<2x2xf32>) -> !x
  %3 = plm.activation gelu %2 : (!x) -> !x
  %4 = plm.linear %3, %wb : (!x, tensor<2x2xf32>) -> !x
  %5 = plm.binary add %4, %1 : (!x, !x) -> !x
  %6 = plm.layer_norm %5, %h {epsilon = 1.0e-5 : f64} : (!x, tensor<2xf32>) -> !x
  %7 = plm.linear %6, %wu bias %bu : (!x, tensor<2x2xf32>, tensor<2xf32>) -> !x
  %8 = plm.activation relu %7 : (!x) -> !x
  %9 = plm.linear %8, %wd : (!x, tensor<2x2xf32>) -> !x
  return %9 : !x
}
