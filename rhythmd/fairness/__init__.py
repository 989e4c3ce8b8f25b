"""Fair shares of the loop: what each connection and each network has cost, and whose turn it is."""
