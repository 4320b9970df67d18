#!/bin/sh
# /usr/local/bin/writeback: a command to the service, typed by root, run as the service user with the rights of an operator.
exec runuser -u writeback -- /opt/writeback/bin/writeback --env-file /etc/writeback/operator.environment "$@"
