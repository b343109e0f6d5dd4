// RUN: plmc-opt %s --plm-normalize --plm-recognize-pooling --plm-normalize | FileCheck %s

!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!p = tensor<?x4xf32, #plm.dims<"batch", "4">>
!k = tensor<?x1x4xf32, #plm.dims<"batch", "1", "4">>
!m = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!mf = tensor<?x?xf32, #plm.dims<"batch", "sequence">>
!mb = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!m3 = tensor<?x?x1xi64, #plm.dims<"batch", "sequence", "1">>
!f3 = tensor<?x?x1xf32, #plm.dims<"batch", "sequence", "1">>
!b3 = tensor<?x?x1xi1, #plm.dims<"batch", "sequence", "1">>
!bx = tensor<?x?x4xi1, #plm.dims<"batch", "sequence", "4">>
!ix = tensor<?x?x4xi64, #plm.dims<"batch", "sequence", "4">>
!n = tensor<?x1xf32, #plm.dims<"batch", "1">>
!n0 = tensor<?xf32, #plm.dims<"batch">>
!i0 = tensor<?xi64, #plm.dims<"batch">>
!s = tensor<f32>

// CHECK-LABEL: func @first_by_gather
// CHECK: %[[P:.*]] = plm.pool first %arg0
// CHECK-NEXT: return %[[P]]
func.func @first_by_gather(%x: !x) -> !p {
  %z = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %g = plm.gather %x, %z axis 1 : (!x, tensor<i64>) -> !p
  return %g : !p
}

// CHECK-LABEL: func @first_by_slice
// CHECK: %[[P:.*]] = plm.pool first %arg0
// CHECK-NEXT: return %[[P]]
func.func @first_by_slice(%x: !x) -> !p {
  %g = plm.slice %x ["0", "0", "0"] [1, 1, 1] : (!x) -> !k
  %r = plm.reshape %g : (!k) -> !p
  return %r : !p
}

// The second position is no pooling.
// CHECK-LABEL: func @second
// CHECK-NOT: plm.pool
// CHECK: return
func.func @second(%x: !x) -> !p {
  %z = plm.constant dense<1> : tensor<i64> : tensor<i64>
  %g = plm.gather %x, %z axis 1 : (!x, tensor<i64>) -> !p
  return %g : !p
}

// sentence-transformers: the expanded mask is summed as well.
// CHECK-LABEL: func @masked_mean_expanded
// CHECK: %[[P:.*]] = plm.pool mean %arg0 mask %arg1 {epsilon = 9.99
// CHECK-NEXT: return %[[P]]
func.func @masked_mean_expanded(%x: !x, %m: !m) -> !p {
  %eps = plm.constant dense<1.0e-9> : !s : !s
  %m0 = plm.reshape %m : (!m) -> !m3
  %m1 = plm.broadcast %m0 : (!m3) -> !ix
  %m2 = plm.cast %m1 : (!ix) -> !x
  %w = plm.binary mul %m2, %x : (!x, !x) -> !x
  %n = plm.reduce sum %w [1] : (!x) -> !p
  %d0 = plm.reduce sum %m2 [1] : (!x) -> !p
  %d = plm.binary max %eps, %d0 : (!s, !p) -> !p
  %r = plm.binary div %n, %d : (!p, !p) -> !p
  return %r : !p
}

// Counted in integers over [batch, sequence], without a clip.
// CHECK-LABEL: func @masked_mean_counted
// CHECK: %[[P:.*]] = plm.pool mean %arg0 mask %arg1 {epsilon = 0.0
// CHECK-NEXT: return %[[P]]
func.func @masked_mean_counted(%x: !x, %m: !m) -> !p {
  %z = plm.constant dense<0.0> : !s : !s
  %m0 = plm.reshape %m : (!m) -> !m3
  %b = plm.cast %m0 : (!m3) -> !b3
  %w = plm.select %b, %x, %z : (!b3, !x, !s) -> !x
  %n = plm.reduce sum %w [1] : (!x) -> !p
  %d0 = plm.reduce sum %m [1] : (!m) -> !i0
  %d1 = plm.cast %d0 : (!i0) -> !n0
  %d = plm.reshape %d1 : (!n0) -> !n
  %r = plm.binary div %n, %d : (!p, !n) -> !p
  return %r : !p
}

// CHECK-LABEL: func @plain_mean
// CHECK: %[[P:.*]] = plm.pool mean %arg0 :
// CHECK-NEXT: return %[[P]]
func.func @plain_mean(%x: !x) -> !p {
  %r = plm.reduce mean %x [1] : (!x) -> !p
  return %r : !p
}

// Weighted by positions squared it is another mean.
// CHECK-LABEL: func @weighted_mean
// CHECK-NOT: plm.pool
// CHECK: plm.binary div {{.*}} {plm.unrecognized = "the mask does more than keep or exclude
func.func @weighted_mean(%x: !x, %m: !mf) -> !p {
  %two = plm.constant dense<2.0> : !s : !s
  %eps = plm.constant dense<1.0e-9> : !s : !s
  %m0 = plm.reshape %m : (!mf) -> !f3
  %m1 = plm.binary mul %m0, %two : (!f3, !s) -> !f3
  %w = plm.binary mul %x, %m1 : (!x, !f3) -> !x
  %n = plm.reduce sum %w [1] : (!x) -> !p
  %d0 = plm.reduce sum %m1 [1] : (!f3) -> !n
  %d = plm.binary max %d0, %eps : (!n, !s) -> !n
  %r = plm.binary div %n, %d : (!p, !n) -> !p
  return %r : !p
}

// CHECK-LABEL: func @masked_max
// CHECK: %[[P:.*]] = plm.pool max %arg0 mask %arg1
// CHECK-NEXT: return %[[P]]
func.func @masked_max(%x: !x, %m: !m) -> !p {
  %z = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %low = plm.constant dense<-1.0e9> : !s : !s
  %m0 = plm.reshape %m : (!m) -> !m3
  %m1 = plm.broadcast %m0 : (!m3) -> !ix
  %b = plm.binary eq %m1, %z : (!ix, tensor<i64>) -> !bx
  %w = plm.select %b, %low, %x : (!bx, !s, !x) -> !x
  %r = plm.reduce max %w [1] : (!x) -> !p
  return %r : !p
}

// CHECK-LABEL: func @l2_clip
// CHECK: %[[P:.*]] = plm.l2_normalize %arg0 {{.*}}:
// CHECK-NEXT: return %[[P]]
func.func @l2_clip(%x: !p) -> !p {
  %eps = plm.constant dense<1.0e-12> : !s : !s
  %l = plm.reduce l2 %x [1] keepdims : (!p) -> !n
  %c = plm.binary max %l, %eps : (!n, !s) -> !n
  %e = plm.broadcast %c : (!n) -> !p
  %r = plm.binary div %x, %e : (!p, !p) -> !p
  return %r : !p
}

// TensorFlow: x * rsqrt(max(sum(x*x), 1e-12)).
// CHECK-LABEL: func @l2_rsqrt
// CHECK: %[[P:.*]] = plm.l2_normalize %arg0 {epsilon = {{9.99[0-9]*E-7|1.0*E-6}} : f64}
// CHECK-NEXT: return %[[P]]
func.func @l2_rsqrt(%x: !p) -> !p {
  %eps = plm.constant dense<1.0e-12> : !s : !s
  %q = plm.binary mul %x, %x : (!p, !p) -> !p
  %l = plm.reduce sum %q [1] keepdims : (!p) -> !n
  %c = plm.binary max %l, %eps : (!n, !s) -> !n
  %i = plm.unary rsqrt %c : (!n) -> !n
  %r = plm.binary mul %x, %i : (!p, !n) -> !p
  return %r : !p
}

// x / (|x| + epsilon) is another function.
// CHECK-LABEL: func @l2_added
// CHECK-NOT: plm.l2_normalize
// CHECK: return
func.func @l2_added(%x: !p) -> !p {
  %eps = plm.constant dense<1.0e-3> : !s : !s
  %l = plm.reduce l2 %x [1] keepdims : (!p) -> !n
  %c = plm.binary add %l, %eps : (!n, !s) -> !n
  %r = plm.binary div %x, %c : (!p, !n) -> !p
  return %r : !p
}

// The mask as a row, times the tokens; the count off zero by an addition.
!m1 = tensor<?x1x?xf32, #plm.dims<"batch", "1", "sequence">>
// CHECK-LABEL: func @mean_by_product
// CHECK: %[[P:.*]] = plm.pool mean %arg0 mask %arg1 {epsilon = 9.99
// CHECK-NEXT: return %[[P]]
func.func @mean_by_product(%x: !x, %m: !m) -> !p {
  %eps = plm.constant dense<1.0e-9> : !s : !s
  %f = plm.cast %m : (!m) -> !mf
  %row = plm.reshape %f : (!mf) -> !m1
  %t = plm.matmul %row, %x : (!m1, !x) -> !k
  %n = plm.reshape %t : (!k) -> !p
  %c = plm.reduce sum %f [1] keepdims : (!mf) -> !n
  %d = plm.binary add %c, %eps : (!n, !s) -> !n
  %r = plm.binary div %n, %d : (!p, !n) -> !p
  return %r : !p
}

// An addition that a count feels is another mean.
// CHECK-LABEL: func @smoothed_mean
// CHECK-NOT: plm.pool
// CHECK: return
func.func @smoothed_mean(%x: !x, %m: !m) -> !p {
  %eps = plm.constant dense<0.5> : !s : !s
  %f = plm.cast %m : (!m) -> !mf
  %row = plm.reshape %f : (!mf) -> !m1
  %t = plm.matmul %row, %x : (!m1, !x) -> !k
  %n = plm.reshape %t : (!k) -> !p
  %c = plm.reduce sum %f [1] keepdims : (!mf) -> !n
  %d = plm.binary add %c, %eps : (!n, !s) -> !n
  %r = plm.binary div %n, %d : (!p, !n) -> !p
  return %r : !p
}

// Any fill far below all values will do.
// CHECK-LABEL: func @masked_max_infinite
// CHECK: %[[P:.*]] = plm.pool max %arg0 mask %arg1
// CHECK-NEXT: return %[[P]]
func.func @masked_max_infinite(%x: !x, %m: !m) -> !p {
  %z = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %low = plm.constant dense<0xFF800000> : !s : !s
  %m0 = plm.reshape %m : (!m) -> !m3
  %m1 = plm.broadcast %m0 : (!m3) -> !ix
  %b = plm.binary eq %m1, %z : (!ix, tensor<i64>) -> !bx
  %w = plm.select %b, %low, %x : (!bx, !s, !x) -> !x
  %r = plm.reduce max %w [1] : (!x) -> !p
  return %r : !p
}

// CHECK-LABEL: func @masked_max_zero
// CHECK-NOT: plm.pool
// CHECK: plm.reduce max {{.*}}plm.unrecognized = "the maximum over the sequence masks with a number that is not far below all others"
func.func @masked_max_zero(%x: !x, %m: !m) -> !p {
  %z = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %low = plm.constant dense<0.0> : !s : !s
  %m0 = plm.reshape %m : (!m) -> !m3
  %m1 = plm.broadcast %m0 : (!m3) -> !ix
  %b = plm.binary eq %m1, %z : (!ix, tensor<i64>) -> !bx
  %w = plm.select %b, %low, %x : (!bx, !s, !x) -> !x
  %r = plm.reduce max %w [1] : (!x) -> !p
  return %r : !p
}

// Without an epsilon: a row of zeros gives NaN before and after.
// CHECK-LABEL: func @l2_bare
// CHECK: %[[P:.*]] = plm.l2_normalize %arg0 {epsilon = 0.0{{.*}} : f64}
// CHECK-NEXT: return %[[P]]
func.func @l2_bare(%x: !p) -> !p {
  %q = plm.reduce sum_square %x [1] keepdims : (!p) -> !n
  %l = plm.unary sqrt %q : (!n) -> !n
  %r = plm.binary div %x, %l : (!p, !n) -> !p
  return %r : !p
}

// Divided by the sum of squares.
// CHECK-LABEL: func @l2_not_rooted
// CHECK-NOT: plm.l2_normalize
// CHECK: return
func.func @l2_not_rooted(%x: !p) -> !p {
  %q = plm.reduce sum_square %x [1] keepdims : (!p) -> !n
  %r = plm.binary div %x, %q : (!p, !n) -> !p
  return %r : !p
}
