!x = tensor<?x4xf32, #plm.dims<"2*b", "4">>
func.func @forward(%x: !x {plm.name = "x"}) -> (!x {plm.name = "y"}) {
  %y = plm.binary add %x, %x : (!x, !x) -> !x
  return %y : !x
}
