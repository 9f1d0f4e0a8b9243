module k3dtools

go 1.26
