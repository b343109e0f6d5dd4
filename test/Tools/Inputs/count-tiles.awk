/tilezero/ { zeroed++ }
/tilestored/ { stored++ }
/ldtilecfg/ { configured++ }
/tilerelease/ { released++ }
END {
  print (zeroed > 0 && zeroed == stored) ? "results stored once," : "spills,",
    (configured > 0 && configured == released) ? "configurations released" : "unbalanced"
}
