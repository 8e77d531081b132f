<?php // What bench/hello.c says, through php-fpm.
header('Content-Type: text/html');
echo "<h1>Hello</h1>\n";
