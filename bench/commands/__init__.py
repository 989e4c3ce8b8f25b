"""One module for each measurement: what it can be told (`add_arguments`) and what it does (`run`)."""
