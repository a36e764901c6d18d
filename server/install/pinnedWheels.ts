/** Python wheels in the versions that this program was made for. */

/** A wheel for Linux on x64, and the files that are taken from it. */
export interface Wheel {
  name: string;
  version: string;
  sha256: string;
  bytes: number;
  /** The files that are taken: their names, or the last parts of their paths. */
  files: string[];
}

/** CUDA's provider of ONNX Runtime, and the libraries of CUDA 13 that it loads. */
export const cudaWheels: Wheel[] = [
  {
    name: "onnxruntime-gpu",
    version: "1.30.0",
    sha256: "6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1",
    bytes: 246_685_715,
    files: ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"],
  },
  {
    name: "nvidia-cublas",
    version: "13.10.0.20",
    sha256: "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84",
    bytes: 444_289_903,
    files: ["libcublas.so.13", "libcublasLt.so.13"],
  },
  {
    name: "nvidia-cuda-runtime",
    version: "13.5.37",
    sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
    bytes: 2_504_024,
    files: ["libcudart.so.13"],
  },
  {
    name: "nvidia-curand",
    version: "10.4.5.25",
    sha256: "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529",
    bytes: 77_113_015,
    files: ["libcurand.so.10"],
  },
];

/** What the binding of TensorFlow.js is built with: the library, and the declarations of its C interface. */
const tensorflowFiles = [
  ...["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"],
  ...["c_api", "c_api_macros", "eager/c_api", "tf_attrtype", "tf_buffer", "tf_datatype", "tf_status", "tf_tensor"].map(
    (name) => `include/tensorflow/c/${name}.h`,
  ),
  ...["include/tensorflow/c/tf_tstring.h", "include/xla/tsl/c/tsl_status.h"],
  ...["tensorflow/core", "tsl"].flatMap((folder) =>
    ["ctstring", "ctstring_internal"].map((name) => `include/${folder}/platform/${name}.h`),
  ),
];

/** TensorFlow for the CPU. */
export const tensorflowWheels: Wheel[] = [
  {
    name: "tensorflow-cpu",
    version: "2.21.0",
    sha256: "dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb",
    bytes: 274_000_871,
    files: tensorflowFiles,
  },
];

/** The first of cuDNN's libraries loads the others when they are needed. */
const cudnnParts = ["", "_adv", "_cnn", "_engines_precompiled", "_engines_runtime_compiled", "_engines_tensor_ir"];
const cudnnFiles = [...cudnnParts, "_ext", "_graph", "_heuristic", "_ops"].map((part) => `libcudnn${part}.so.9`);

/** TensorFlow for NVIDIA's GPUs, and the libraries of CUDA 12 that it loads, all of them or none. */
export const tensorflowGpuWheels: Wheel[] = [
  {
    name: "tensorflow",
    version: "2.21.0",
    sha256: "b3b95643c4e70eb925839938fb35cbe142f317ec84af6844ee61513713bb13c0",
    bytes: 572_611_111,
    files: tensorflowFiles,
  },
  {
    name: "nvidia-cublas-cu12",
    version: "12.9.3.13",
    sha256: "d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72",
    bytes: 581_217_458,
    files: ["libcublas.so.12", "libcublasLt.so.12"],
  },
  {
    name: "nvidia-cuda-runtime-cu12",
    version: "12.9.79",
    sha256: "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3",
    bytes: 3_493_179,
    files: ["libcudart.so.12"],
  },
  {
    name: "nvidia-cudnn-cu12",
    version: "9.28.0.42",
    sha256: "9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375",
    bytes: 716_538_495,
    files: cudnnFiles,
  },
  {
    name: "nvidia-cufft-cu12",
    version: "11.4.1.4",
    sha256: "c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28",
    bytes: 200_877_592,
    files: ["libcufft.so.11"],
  },
  {
    name: "nvidia-cusolver-cu12",
    version: "11.7.5.82",
    sha256: "15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88",
    bytes: 338_117_415,
    files: ["libcusolver.so.11"],
  },
  {
    name: "nvidia-cusparse-cu12",
    version: "12.5.10.65",
    sha256: "73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78",
    bytes: 366_465_088,
    files: ["libcusparse.so.12"],
  },
  {
    name: "nvidia-nvjitlink-cu12",
    version: "12.9.86",
    sha256: "e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9",
    bytes: 39_748_338,
    files: ["libnvJitLink.so.12"],
  },
];
