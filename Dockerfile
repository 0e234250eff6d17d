# gendeg as a container; TORCH=cuda brings CUDA along (PyPI's torch), the default is the small build for CPUs.
#   docker build -t gendeg .
#   docker build -t gendeg:cuda --build-arg TORCH=cuda .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" gendeg synth photo.jpg --type haze --intensity 0.6
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" gendeg:cuda build photos/ --out gends/
# torch.compile (`--compile` of the trainings, and the recipe of the bundled model) needs a C++ compiler, which is not in it.
FROM python:3.11-slim

ARG TORCH=cpu
# Of gendeg's optional packages, for example EXTRAS=heif,jxl.
ARG EXTRAS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 HOME=/home/gendeg

WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY gendeg gendeg
COPY prompts prompts
COPY manifests manifests
# The build backend comes from the lock too, as in the Makefile.
RUN case "$TORCH" in \
      cpu) export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu ;; \
      cuda) ;; \
      *) echo "TORCH is cpu or cuda, not $TORCH" >&2; exit 2 ;; \
    esac \
    && pip install -c constraints.txt hatchling editables \
    && pip install -c constraints.txt --no-build-isolation ".${EXTRAS:+[$EXTRAS]}" \
    && rm -rf /src \
    && mkdir -p /home/gendeg /work && chmod 777 /home/gendeg /work

WORKDIR /work
ENTRYPOINT ["gendeg"]
CMD ["--help"]
