module {
  plm.parameter @w = dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi64>
  func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"batch", "sequence">> {plm.name = "ids"},
                     %mask: tensor<?x?xi64, #plm.dims<"batch", "sequence">> {plm.name = "mask"})
      -> (tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">> {plm.name = "y"}) {
    %w = plm.get_parameter @w : tensor<3x2xi64>
    %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"batch", "sequence">>, tensor<3x2xi64>) -> tensor<?x?x2xi64, #plm.dims<"batch", "sequence", "2">>
    %f = plm.cast %e : (tensor<?x?x2xi64, #plm.dims<"batch", "sequence", "2">>) -> tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>
    %y = plm.attention %f, %f, %f mask %mask {num_heads = 1 : i64, scale = 1.0 : f64} : (tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>, tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>, tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>, tensor<?x?xi64, #plm.dims<"batch", "sequence">>) -> tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>
    return %y : tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>
  }
}
