#!/bin/sh
# The steps of the image build that run pip: `cpu`, `gpu` (dependencies), `cpu torch`, `wheel`, `equiserve`.
set -eu

if [ -s /run/ca.pem ]; then export PIP_CERT=/run/ca.pem; fi

into_image() { /opt/pip/bin/pip --python /opt/equiserve/bin/python install --progress-bar off "$@"; }

# What a server never imports: test suites, offline tools, type stubs and C sources.
trim() {
    site=$(echo /opt/equiserve/lib/python3*/site-packages)
    find "$site" -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
    find "$site" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -delete
    for folder in quantization transformers tools datasets backend; do
        rm -rf "$site/onnxruntime/$folder"
    done
    # Compiled once here: a read-only root could not keep the byte code that a first start makes.
    # torch carries sources for newer Pythons, which do not compile here.
    /opt/equiserve/bin/python -m compileall -q -j 0 -x '/py3[0-9]+_' "$site"
}

case "$*" in
    cpu | gpu)
        python3 requirements.py "$1" simd >requirements.txt
        into_image -r requirements.txt
        ;;
    "cpu torch")
        into_image -c constraints-cpu.txt ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} 'torch>=2.8'
        ;;
    wheel)
        /opt/pip/bin/pip wheel --progress-bar off --no-deps --wheel-dir /wheel .
        ;;
    equiserve)
        into_image --no-deps --no-index /wheel/*.whl
        trim
        ;;
    *)
        echo "install.sh: unknown step '$*'; expected cpu, gpu, 'cpu torch', wheel or equiserve" >&2
        exit 2
        ;;
esac
