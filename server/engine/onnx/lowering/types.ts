/** Element types of ONNX tensors this engine uses. */
export type DType = "float32" | "float16" | "int32" | "int64" | "bool";

/** TensorProto.DataType of each. */
export const dtypeCode: Record<DType, number> = { float32: 1, float16: 10, int32: 6, int64: 7, bool: 9 };
