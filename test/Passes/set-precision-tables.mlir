// RUN: plmc-opt %s --plm-set-precision="precision=int8 table-bits=2 group-size=32 min-elements=16" | FileCheck %s --check-prefix=TWO
// RUN: plmc-opt %s --plm-set-precision="precision=int8 table-bits=3 group-size=32 min-elements=16" --plmc-counters 2>%t.err | FileCheck %s --check-prefix=THREE
// RUN: FileCheck %s --check-prefix=COUNT < %t.err
// RUN: plmc-opt %s --plm-set-precision="precision=int2 group-size=32 min-elements=16" | FileCheck %s --check-prefix=DEFAULT

// Below 4 bits the scale has a sign, and all values are used without a zero
// point: 2, 1, 0, -1 are 1, 1/2, 0, -1/2 of the greatest, -2 s.

// TWO: plm.parameter @t.q2 = dense_resource<[[Q:.*]]> : tensor<2x32xi8>
// TWO: plm.parameter @t.scale = {{.*}} : tensor<2xf32>
// TWO-NOT: zero_point
// TWO: plm.dequantize %{{.*}} scale %{{.*}} {bits = 2 : i64}
// THREE: plm.dequantize %{{.*}} scale %{{.*}} {bits = 3 : i64}
// COUNT: plm-set-precision: tables in int3: 1
// DEFAULT: plm.dequantize %{{.*}} scale %{{.*}} {bits = 4 : i64}
plm.parameter @t = dense<[
  [2.0, 1.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0,
   2.0, 1.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0],
  [-2.0, 1.0, 0.0, -1.0, -2.0, 1.0, 0.0, -1.0, -2.0, 1.0, 0.0, -1.0, -2.0, 1.0, 0.0, -1.0,
   -2.0, 1.0, 0.0, -1.0, -2.0, 1.0, 0.0, -1.0, -2.0, 1.0, 0.0, -1.0, -2.0, 1.0, 0.0, -1.0]
]> : tensor<2x32xf32>
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">>) -> tensor<?x?x32xf32, #plm.dims<"b", "s", "32">> {
  %t = plm.get_parameter @t : tensor<2x32xf32>
  %e = plm.embedding %ids, %t : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<2x32xf32>) -> tensor<?x?x32xf32, #plm.dims<"b", "s", "32">>
  return %e : tensor<?x?x32xf32, #plm.dims<"b", "s", "32">>
}
// Both rows are exact: scales of -1 and of 1 (bfloat16 and f32 agree).
// TWO: dialect_resources
// TWO: t: "0x01000000FEFF0001FEFF0001{{.*}}FE0100FFFE0100FF"
// TWO: t_1: "0x04000000000080BF0000803F"
