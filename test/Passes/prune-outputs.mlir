// RUN: plmc-opt %s --plm-prune-outputs="outputs=hidden" --plmc-counters 2>%t.err | FileCheck %s
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s --plm-prune-outputs="outputs=pooled,hidden" | FileCheck %s --check-prefix=ORDER
// RUN: plmc-opt %s --plm-prune-outputs | FileCheck %s --check-prefix=ALL
// RUN: not plmc-opt %s --plm-prune-outputs="outputs=hidden,logits" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// What only the other outputs need goes, parameters included; a parameter that
// a kept output shares stays, and so does an input that nobody reads now.
// CHECK-NOT: @pooler
// CHECK: plm.parameter @shared
// CHECK-NOT: @pooler
// CHECK: func.func @forward(%[[X:.*]]: tensor<2x4xf32> {plm.name = "x"}, %{{.*}}: tensor<2xi64> {plm.name = "unread"})
// CHECK-SAME: -> (tensor<2x4xf32> {plm.name = "hidden"})
// CHECK-NEXT: plm.constraint
// CHECK-NEXT: %[[W:.*]] = plm.get_parameter @shared
// CHECK-NEXT: %[[H:.*]] = plm.linear %[[X]], %[[W]]
// CHECK-NEXT: return %[[H]] : tensor<2x4xf32>

// COUNT: plm-prune-outputs: outputs removed: 2
// COUNT: plm-prune-outputs: operations removed: 2
// COUNT: plm-prune-outputs: parameters removed: 1
// COUNT: plm-prune-outputs: bytes removed: 64

// The order is the model's.
// ORDER: -> (tensor<2x4xf32> {plm.name = "hidden"}, tensor<2x4xf32> {plm.name = "pooled"})
// ORDER: return %{{.*}}, %{{.*}} : tensor<2x4xf32>, tensor<2x4xf32>

// ALL: plm.name = "hidden"{{.*}}plm.name = "pooled"{{.*}}plm.name = "echo"

// UNKNOWN: there is no output 'logits'; the model has: hidden, pooled, echo

module {
  plm.parameter @shared = dense<1.0> : tensor<4x4xf32>
  plm.parameter @pooler = dense<[[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0]]> : tensor<4x4xf32>
  func.func @forward(%x: tensor<2x4xf32> {plm.name = "x"}, %unread: tensor<2xi64> {plm.name = "unread"})
      -> (tensor<2x4xf32> {plm.name = "hidden"}, tensor<2x4xf32> {plm.name = "pooled"}, tensor<2xi64> {plm.name = "echo"}) {
    plm.constraint "0", "always holds"
    %w = plm.get_parameter @shared : tensor<4x4xf32>
    %p = plm.get_parameter @pooler : tensor<4x4xf32>
    %h = plm.linear %x, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    %l = plm.linear %h, %p : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    %t = plm.activation tanh %l : (tensor<2x4xf32>) -> tensor<2x4xf32>
    return %h, %t, %unread : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xi64>
  }
}
