!x = tensor<?x4xf32, #plm.dims<"n", "4">>
!t = tensor<4x?xf32, #plm.dims<"4", "n">>
!s = tensor<?x?xf32, #plm.dims<"n", "n">>
module {
  func.func @forward(%x: !x {plm.name = "x"}) -> (!s {plm.name = "y"}) {
    %t = plm.transpose %x [1, 0] : (!x) -> !t
    %s = plm.matmul %x, %t : (!x, !t) -> !s loc("scores (MatMul)")
    %y = plm.softmax %s axis 1 : (!s) -> !s loc("odd (Softmax)")
    return %y : !s
  }
}
