module {{name}}

go 1.24

require gatehouse v0.0.0

replace gatehouse => ./gatehouse
