module {
  func.func @forward(%x: tensor<?xi64, #plm.dims<"n">> {plm.name = "x"}) -> (tensor<?xi64, #plm.dims<"n">> {plm.name = "y"}) {
    %y = plm.unary exp %x : (tensor<?xi64, #plm.dims<"n">>) -> tensor<?xi64, #plm.dims<"n">>
    return %y : tensor<?xi64, #plm.dims<"n">>
  }
}
