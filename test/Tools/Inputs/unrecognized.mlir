module {
  func.func @forward(%x: tensor<?x4xf32, #plm.dims<"n", "4">> {plm.name = "x"})
      -> (tensor<?x4xf32, #plm.dims<"n", "4">> {plm.name = "y"}) {
    %y = plm.softmax %x axis 1 : (tensor<?x4xf32, #plm.dims<"n", "4">>) -> tensor<?x4xf32, #plm.dims<"n", "4">> loc("odd (Softmax)")
    return %y : tensor<?x4xf32, #plm.dims<"n", "4">>
  }
}
