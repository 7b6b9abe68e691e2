# Copyright callsift contributors. SPDX-License-Identifier: Apache-2.0
#
# Writes src/pipeline/voices/voice-encoder.fp16.onnx, run once by hand, never by install, build or test:
#
#   python3 -m venv V && V/bin/pip install numpy onnx
#   V/bin/pip download --no-deps resemblyzer==0.1.4 && unzip Resemblyzer-0.1.4-py3-none-any.whl
#   V/bin/python scripts/voice-encoder.py resemblyzer/pretrained.pt src/pipeline/voices/voice-encoder      (the .fp32.onnx is not kept)
#
# The weights are those of Resemblyzer 0.1.4 (https://github.com/resemble-ai/Resemblyzer, Apache-2.0), stored as float16.
"""Reads the voice encoder of the PyPI package resemblyzer 0.1.4 (Apache-2.0; resemblyzer/pretrained.pt, an old torch pickle) without torch and writes it as ONNX.

usage: voice_encoder.py pretrained.pt OUT_PREFIX   (needs numpy, onnx; writes OUT_PREFIX.fp32.onnx and OUT_PREFIX.fp16.onnx: mel [N, T, 40] -> embedding [N, 256])"""
import sys, pickle, collections, numpy as np, onnx
from onnx import helper as H, numpy_helper as NH, TensorProto as T

# ---- legacy torch.save reader: magic, protocol, sysinfo, obj, [storage keys], then per storage int64 count + raw data
DT = {'FloatStorage': '<f4', 'DoubleStorage': '<f8', 'LongStorage': '<i8', 'IntStorage': '<i4', 'HalfStorage': '<f2'}
class Lazy:
    def __init__(s, key, off, size, stride): s.key, s.off, s.size, s.stride = key, off, size, stride
def load_pt(path):
    kinds = {}
    class U(pickle.Unpickler):
        def find_class(self, m, n):
            if (m, n) == ('collections', 'OrderedDict'): return collections.OrderedDict
            if (m, n) == ('torch._utils', '_rebuild_tensor_v2'): return lambda st, off, size, stride, *a: Lazy(st, off, size, stride)
            if (m, n) == ('torch._utils', '_rebuild_parameter'): return lambda data, *a: data
            if m == 'torch' and n in DT: return n
            raise pickle.UnpicklingError(f'{m}.{n} refused')
        def persistent_load(self, pid):
            assert pid[0] == 'storage'; kinds[pid[2]] = DT[pid[1]]; return pid[2]
    f = open(path, 'rb')
    assert pickle.load(f) == 0x1950a86a20f9469cfc6c
    assert pickle.load(f) == 1001
    pickle.load(f)
    obj = U(f).load(); keys = U(f).load(); st = {}
    for k in keys:
        n = int(np.frombuffer(f.read(8), '<i8')[0]); dt = np.dtype(kinds[k]); st[k] = np.frombuffer(f.read(n * dt.itemsize), dt)
    out = {}
    for n, t in obj['model_state'].items():
        a = st[t.key][t.off:]; out[n] = np.ascontiguousarray(np.lib.stride_tricks.as_strided(a, t.size, [s * a.itemsize for s in t.stride]))
    return out, obj

def build(sd, fp16):
    inits, nodes = [], []
    def const(name, a):
        a = np.ascontiguousarray(a, dtype=np.float32)
        if fp16:
            inits.append(NH.from_array(a.astype(np.float16), name + '_h')); nodes.append(H.make_node('Cast', [name + '_h'], [name], to=T.FLOAT))
        else: inits.append(NH.from_array(a, name))
        return name
    reorder = lambda w: np.concatenate([w[0:256], w[768:1024], w[256:512], w[512:768]], 0)  # torch i,f,g,o -> ONNX i,o,f,c
    nodes.append(H.make_node('Transpose', ['mel'], ['x0'], perm=[1, 0, 2]))   # [T,N,40]
    for l in range(3):
        W = const(f'W{l}', reorder(sd[f'lstm.weight_ih_l{l}'])[None]); R = const(f'R{l}', reorder(sd[f'lstm.weight_hh_l{l}'])[None])
        B = const(f'B{l}', np.concatenate([reorder(sd[f'lstm.bias_ih_l{l}']), reorder(sd[f'lstm.bias_hh_l{l}'])])[None])
        outs = [f'y{l}', f'h{l}'] if l < 2 else ['', f'h{l}']
        nodes.append(H.make_node('LSTM', [f'x{l}', W, R, B], outs, hidden_size=256, name=f'lstm{l}'))
        if l < 2: nodes.append(H.make_node('Squeeze', [f'y{l}', 'ax1'], [f'x{l+1}']))  # [T,1,N,H] -> [T,N,H]
    nodes.append(H.make_node('Squeeze', ['h2', 'ax0'], ['hf']))
    inits += [NH.from_array(np.array([1], np.int64), 'ax1'), NH.from_array(np.array([0], np.int64), 'ax0')]
    L = const('LW', sd['linear.weight']); b = const('Lb', sd['linear.bias'])
    nodes += [H.make_node('Gemm', ['hf', L, b], ['lin'], transB=1), H.make_node('Relu', ['lin'], ['raw']),
              H.make_node('LpNormalization', ['raw'], ['embedding'], axis=1, p=2)]
    g = H.make_graph(nodes, 'ge2e_voice_encoder', [H.make_tensor_value_info('mel', T.FLOAT, ['N', 'T', 40])],
                     [H.make_tensor_value_info('embedding', T.FLOAT, ['N', 256])], inits)
    m = H.make_model(g, opset_imports=[H.make_opsetid('', 17)]); m.ir_version = 8; onnx.checker.check_model(m); return m

if __name__ == '__main__':
    sd, obj = load_pt(sys.argv[1])
    print('step', obj.get('step'), [(k, v.shape) for k, v in sd.items()])
    for fp16, sfx in ((False, 'fp32'), (True, 'fp16')): onnx.save(build(sd, fp16), f'{sys.argv[2]}.{sfx}.onnx')
