"""The wire of a module: `module.proto` and the code generated from it, shared by channels and lab. Importing this loads none of it.

    from tinypool_nb.wire import module_pb2, module_pb2_grpc

    stub = module_pb2_grpc.ModuleServiceStub(pool["http-module-v1"])
    stub.Message(module_pb2.MessageRequest(To="http-module-v1.in", Payload=b"{}"))

`module_pb2.py`, `module_pb2.pyi` and `module_pb2_grpc.py` are generated, in the root of the repository, by

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. tinypool_nb/wire/module.proto

and then one word of `module_pb2.py` is changed: its messages live in a pool of descriptors of their own, `DescriptorPool()` where the
generator writes `Default()`. Modules' own stubs use the package name `module` too, and protobuf refuses a second one in one pool.

The generator is **grpcio-tools 1.80.0**, in an environment of its own. Generated code refuses every runtime older than its generator, so
that the generator is the oldest release that we support, not the newest: 1.80.0 asks for grpcio 1.80 and protobuf 6.31.
`module_pb2_grpc.pyi` is written by hand, since no generator of grpcio's writes it. The sources of both forms are in `module.proto`.
"""
