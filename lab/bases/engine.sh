#!/bin/sh
# One part of the lab's engine base, vLLM for the CPU in /opt/vllm; runs in a container of the Python base.
# Usage: engine.sh PART; the parts become layers of their own, so that a push compresses two at once.
# /in holds the pinned requirements and, for a site that needs one, the CA bundle; neither gets into a layer.
set -eu
part=$1
[ ! -s /in/site-ca.pem ] || export SSL_CERT_FILE=/in/site-ca.pem PIP_CERT=/in/site-ca.pem
python3 -m venv /tmp/installer
/tmp/installer/bin/pip install --quiet --no-cache-dir --disable-pip-version-check -r /in/uv.txt
[ -d /opt/vllm ] || /tmp/installer/bin/uv venv --quiet --python /usr/bin/python3 /opt/vllm
/tmp/installer/bin/uv pip install --python /opt/vllm/bin/python3 --no-cache --no-deps --require-hashes -r "/in/$part.txt"
rm -rf /tmp/installer /root/.cache

# Only a GPU, a profiler or a compiler opens these: 0.9 GB that would cross the registry for nothing.
cd /opt/vllm/lib/python3*/site-packages
rm -rf nvidia/cudnn/lib/libcudnn_* nvidia/cu13/lib/libcusolverMg.* nvidia/cu13/lib/libnvperf_* \
  nvidia/cu13/lib/*.alt.so* nvidia/*/include torch/include torch/bin/protoc*
if [ "$part" = vllm ]; then
  # what a start imports is compiled here once, and not by each process of each pod
  cd /tmp && HOME=/tmp /opt/vllm/bin/python3 -c 'import vllm.entrypoints.openai.api_server, vllm.v1.engine.core
import vllm.v1.executor.multiproc_executor, vllm.v1.worker.cpu_worker, vllm.model_executor.models.qwen2'
  find /tmp -mindepth 1 -delete
fi
