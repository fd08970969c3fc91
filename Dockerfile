# The service, its worker and its command line in one image; what it runs is the command.

# The pages' style sheet and script, by npm; neither npm nor node comes into the image.
FROM python:3.11-slim AS assets
WORKDIR /srv/assent
COPY requirements-node.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-node.lock
COPY app/__init__.py ./app/__init__.py
COPY app/web/__init__.py app/web/bring_assets.py ./app/web/
COPY app/web/frontend ./app/web/frontend
RUN python -m app.web.bring_assets

FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONPATH=/srv/assent \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    ASSENT_DATA_DIR=/var/lib/assent

# The data folder is made, and given away, before a volume is laid over it.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin assent \
    && install --directory --owner assent --group assent --mode 0700 /var/lib/assent

WORKDIR /srv/assent

COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock

# The code runs from its folder, because migrations and policies lie beside it.
COPY LICENSE ./
COPY app ./app
COPY --from=assets /srv/assent/app/web/static/nhsuk ./app/web/static/nhsuk
COPY migrations ./migrations
COPY policies ./policies
COPY openapi ./openapi
RUN printf '%s\n' '#!/usr/local/bin/python' 'from app.cli import main' 'main()' \
        > /usr/local/bin/assent \
    && chmod 0755 /usr/local/bin/assent

USER assent
VOLUME /var/lib/assent
EXPOSE 8000

# Alive means that the process answers; whether it can serve is /readyz, for the load balancer.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]

CMD ["assent", "serve", "--host", "0.0.0.0", "--port", "8000"]
