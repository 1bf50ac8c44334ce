# syntax=docker/dockerfile:1
# One image; the command picks the role:
#
#   serve --host 0.0.0.0 --no-worker    pages and API        worker     analyzes what waits
#   migrate                             the tables, once     doctor     says what is wrong
#
# The first stage installs, the second one has what was installed and nothing to install with. What is written at run
# time lies in /data and /tmp, so the root file system can be read-only; the user has a fixed number and no rights.
# Debian and Python are the versions that the tests run on. They are pinned by name and not by digest, so that building
# again brings their security updates.

ARG BASE=python:3.11-slim-trixie

FROM ${BASE} AS build
WORKDIR /source
RUN python -m venv /opt/likeness
COPY pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
COPY webapp webapp
COPY templates templates
COPY static static
# Everything comes as a wheel; without a compiler in the stage a package that does not is an error, and not a surprise.
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/likeness/bin/pip install --cache-dir /var/cache/pip --prefer-binary ".[servers,celery,oidc]" \
    && /opt/likeness/bin/pip uninstall --yes pip setuptools
# The network of `lite` is built once, here, and not in each container that starts.
RUN /opt/likeness/bin/python -c "from pathlib import Path; from pipeline.features.encoders import registry; \
        registry.open_encoder(registry.DEFAULT, Path('/opt/likeness/models'))" \
    && chmod --recursive a+rX /opt/likeness/models

FROM ${BASE}
LABEL org.opencontainers.image.title="Likeness" \
      org.opencontainers.image.description="Self-hosted image similarity search" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 likeness \
    && useradd --system --uid 10001 --gid likeness --no-create-home --home-dir /data likeness \
    && install --directory --owner=likeness --group=likeness --mode=0750 /data
COPY --from=build /opt/likeness /opt/likeness
ENV PATH=/opt/likeness/bin:$PATH \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LIKENESS_DATA=/data \
    LIKENESS_MODELS=/opt/likeness/models \
    LIKENESS_ACCOUNTS=required
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
# Of the web role; whoever runs a worker from this image switches it off, since a worker listens nowhere.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["likeness"]
CMD ["serve", "--host", "0.0.0.0"]
