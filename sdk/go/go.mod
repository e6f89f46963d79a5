module gatehouse

go 1.24
